# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt requirements-dev.txt ./
# Pinned and hashed wheels; nothing is compiled. The build backend is the one that the project is locked with.
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt \
 && sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.txt > build.txt \
 && pip install --no-cache-dir --require-hashes --only-binary :all: -r build.txt
COPY pyproject.toml README.md ./
COPY store store
COPY runbooks runbooks
COPY bot bot
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /venv/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/pointsman --create-home pointsman
COPY --from=build /venv /venv
ENV PATH="/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    POINTSMAN_POLICY=/policy \
    DATABASE_URL=sqlite:////var/lib/pointsman/pointsman.db
# By number, so that an orchestrator can see that it is not root. Nothing is written but the volume and /tmp.
USER 10001:10001
WORKDIR /var/lib/pointsman
VOLUME /var/lib/pointsman
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["pointsman"]
CMD ["run"]
