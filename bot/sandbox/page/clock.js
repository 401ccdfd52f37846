// The sandbox's time, and how a moment reads in a person's zone. Pure but for `Clock`.

/** Seconds since the epoch by the sandbox's clock; it moves on with the machine between two tellings. */
export class Clock {
  constructor() {
    this.set(Date.now() / 1000);
  }
  set(seconds) {
    this.base = seconds - performance.now() / 1000;
  }
  now() {
    return this.base + performance.now() / 1000;
  }
}

const formatters = new Map();

function formatter(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, makeFormatter(zone, options));
  return formatters.get(key);
}

function makeFormatter(zone, options) {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: zone || "UTC", ...options });
  } catch {
    return new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options });
  }
}

const moment = (seconds) => new Date(Math.max(-8.64e12, Math.min(8.64e12, Number(seconds) || 0)) * 1000);
export const show = (seconds, zone, options) => formatter(zone, options).format(moment(seconds));

function fields(seconds, zone, options) {
  const parts = formatter(zone, options).formatToParts(moment(seconds));
  return Object.fromEntries(parts.map((p) => [p.type, p.value]));
}

const NUMERIC = { year: "numeric", month: "2-digit", day: "2-digit" };
const WALL = { ...NUMERIC, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

/** `2026-11-21` on the wall calendar of the zone. */
export function dayOf(seconds, zone) {
  const f = fields(seconds, zone, NUMERIC);
  return `${f.year}-${f.month}-${f.day}`;
}

export const timeOf = (seconds, zone) => show(seconds, zone, { hour: "numeric", minute: "2-digit" });

/** `2026-11-21T09:05`, as an input of type datetime-local has it. */
export function wallOf(seconds, zone) {
  const f = fields(seconds, zone, WALL);
  return `${f.year}-${f.month}-${f.day}T${f.hour}:${f.minute}`;
}

function offset(seconds, zone) {
  const f = fields(seconds, zone, WALL);
  return Date.UTC(f.year, f.month - 1, f.day, f.hour, f.minute, f.second) / 1000 - Math.floor(seconds);
}

/** Epoch seconds of a wall-clock time in the zone; in a gap of the spring night, the time after it. */
export function instantOf(wall, zone) {
  const asUtc = Date.parse(`${wall.slice(0, 16)}:00Z`) / 1000;
  const first = asUtc - offset(asUtc, zone);
  return asUtc - offset(first, zone);
}

const DAY = 86400;
const dayNumber = (seconds, zone) => Math.round(Date.parse(dayOf(seconds, zone)) / 1000 / DAY);

/** today, yesterday, tomorrow by the zone's calendar, or null. */
export function nearDay(seconds, zone, now) {
  const distance = dayNumber(seconds, zone) - dayNumber(now, zone);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[distance] ?? null;
}

const UNITS = [
  ["day", DAY],
  ["hour", 3600],
  ["minute", 60],
];

/** A length of time in its largest whole unit; null below a minute. */
export function length(seconds) {
  const unit = UNITS.find(([, size]) => seconds >= size);
  if (!unit) return null;
  const count = Math.floor(seconds / unit[1]);
  return `${count} ${unit[0]}${count === 1 ? "" : "s"}`;
}

export function ago(seconds, now) {
  const words = length(Math.abs(now - seconds));
  if (now >= seconds) return words ? `${words} ago` : "just now";
  return words ? `in ${words}` : "in a moment";
}

function ordinal(day) {
  const teen = day % 100 >= 11 && day % 100 <= 13;
  return day + (teen ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th"));
}

function longDate(seconds, zone, weekday) {
  const f = fields(seconds, zone, { year: "numeric", month: "long", day: "numeric", weekday: "long" });
  return `${weekday ? `${f.weekday}, ` : ""}${f.month} ${ordinal(Number(f.day))}, ${f.year}`;
}

const TOKENS = {
  date_num: (s, z) => dayOf(s, z),
  date_slash: (s, z) => show(s, z, NUMERIC),
  date: (s, z) => longDate(s, z, false),
  date_short: (s, z) => show(s, z, { year: "numeric", month: "short", day: "numeric" }),
  date_long: (s, z) => longDate(s, z, true),
  time: (s, z) => timeOf(s, z),
  time_secs: (s, z) => show(s, z, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago: (s, z, now) => ago(s, now),
};

function token(name, seconds, zone, now) {
  const plain = name.replace(/_pretty$/, "");
  if (!TOKENS[plain]) return null;
  const near = plain !== name && nearDay(seconds, zone, now);
  return near || TOKENS[plain](seconds, zone, now);
}

/** Slack's date format string (`{date_short_pretty} at {time}`) for a moment. */
export function dateWords(format, seconds, zone, now) {
  return format.replace(/\{(\w+)\}/g, (all, name) => token(name, seconds, zone, now) ?? all);
}
