import { ConfigError } from "../../base/errors.ts";

/** When something may be installed, each week anew, by the clocks of a zone. */
export interface Window {
  /** As it was written. */
  text: string;
  /** Days on which it opens: 0 is Sunday. */
  days: ReadonlySet<number>;
  /** Minutes of the day; it goes over midnight where `to` is not later than `from`. */
  from: number;
  to: number;
  zone: string;
}

const dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const form = /^(?:([A-Za-z,-]+)\s+)?(\d\d?):(\d\d)-(\d\d?):(\d\d)(?:\s+([A-Za-z][\w+/-]*))?$/;
const minuteMs = 60_000;
const searchedMinutes = 8 * 24 * 60;

/** `Mon-Thu 10:00-16:00 Asia/Tokyo`; every day and UTC unless told. @throws {ConfigError} */
export function parseWindow(text: string): Window {
  const match = form.exec(text.trim());
  if (!match) throw noWindow(text, "it is no window");
  const [, days = "Sun-Sat", h1, m1, h2, m2, zone = "UTC"] = match;
  const [from, to] = [minutesOf(h1, m1), minutesOf(h2, m2)];
  if (from === undefined || to === undefined) throw noWindow(text, "there is no such time");
  if (from === to) throw noWindow(text, "it opens and closes at one time");
  if (!isZone(zone)) throw noWindow(text, `there is no time zone ${zone}`);
  return { text: text.trim(), days: daysIn(days, text), from, to, zone };
}

/** By the wall clock: a minute that a change of the clocks leaves out is in no window. */
export function isOpen({ days, from, to, zone }: Window, at: Date): boolean {
  const { day, minute } = wallClock(zone, at);
  if (from < to) return days.has(day) && minute >= from && minute < to;
  return (days.has(day) && minute >= from) || (days.has((day + 6) % 7) && minute < to);
}

/** When the first of `windows` opens after `now`. */
export function nextOpening(windows: readonly Window[], now: Date): Date | undefined {
  const first = Math.floor(now.getTime() / minuteMs) + 1;
  for (let minute = first; minute < first + searchedMinutes; minute++) {
    const at = new Date(minute * minuteMs);
    if (windows.some((window) => isOpen(window, at))) return at;
  }
  return undefined;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wallClock(zone: string, at: Date): { day: number; minute: number } {
  let format = formats.get(zone);
  if (!format) {
    const fields = { weekday: "short", hour: "2-digit", minute: "2-digit" } as const;
    format = new Intl.DateTimeFormat("en-US", { ...fields, hourCycle: "h23", timeZone: zone });
    formats.set(zone, format);
  }
  const [, name = "", hours, minutes] = /(\w{3}),? (\d\d):(\d\d)/.exec(format.format(at)) ?? [];
  return { day: dayNames.indexOf(name), minute: Number(hours) * 60 + Number(minutes) };
}

function daysIn(text: string, window: string): Set<number> {
  const days = new Set<number>();
  for (const piece of text.split(",")) {
    const [first, last = first, ...more] = piece.split("-").map(dayOf);
    if (first === undefined || last === undefined || more.length > 0) {
      throw noWindow(window, `${piece} names no days`);
    }
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === last) break;
    }
  }
  return days;
}

function dayOf(name: string): number | undefined {
  const day = dayNames.findIndex((known) => known.toLowerCase() === name.toLowerCase());
  return day < 0 ? undefined : day;
}

function minutesOf(hours = "", minutes = ""): number | undefined {
  const total = Number(hours) * 60 + Number(minutes);
  return Number(minutes) > 59 || total > 24 * 60 ? undefined : total;
}

function isZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat("en-US", { timeZone: zone }));
  } catch {
    return false;
  }
}

function noWindow(text: string, why: string): ConfigError {
  return new ConfigError(`${text}: ${why}`, {
    hint: "write it like Mon-Thu 10:00-16:00 Asia/Tokyo",
  });
}
