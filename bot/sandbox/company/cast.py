"""The people and channels of the example company, as its policy folder (`runbooks/acme/`) names them."""

from __future__ import annotations

from bot.sandbox.workspace import Channel, Team, User

TEAM = Team("T0ACME", "Acme", "acme")

PEOPLE = (
    User("U0ADA", "ada", "Ada Lindqvist", title="Revenue Ops", email="ada@acme.test", tz="Europe/Berlin"),
    User("U0BEN", "ben", "Ben Ortiz", title="Revenue Ops", email="ben@acme.test", tz="Europe/Berlin"),
    User(
        "U0CLEO", "cleo", "Cleo Marchetti", title="Revenue Ops, data steward", email="cleo@acme.test", tz="Europe/Rome"
    ),
    User("U0DEE", "dee", "Dee Okafor", title="Customer Success", email="dee@acme.test", tz="Europe/London"),
    User("U0ELI", "eli", "Eli Novak", title="Customer Success", email="eli@acme.test", tz="Europe/Prague"),
    User("U0FAY", "fay", "Fay Tanaka", title="Billing", email="fay@acme.test", tz="Europe/Berlin"),
    User("U0GUS", "gus", "Gus Petrov", title="Billing", email="gus@acme.test", tz="Europe/Sofia"),
)

CHANNELS = (
    Channel("C0REVOPS", "revenue-ops"),
    Channel("C0SUCCESS", "customer-success"),
    Channel("C0BILLING", "billing"),
    Channel("C0SUPPORT", "support"),
)
