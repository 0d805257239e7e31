import type { Call } from "../base/call.ts";
import type { Notice, Notifier } from "./notifier.ts";

/** Remembers what it was sent, and does what the test says first. */
export class FakeNotifier implements Notifier {
  readonly name = "fake://notices";
  readonly sent: Notice[] = [];
  /** How many times it was asked to send, also in vain. */
  attempts = 0;
  closed = false;
  /** What happens before a notice counts as sent; it may throw, or take its time. */
  before: (notice: Notice, call: Call) => Promise<void> | void = () => {};

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }

  async send(notice: Notice, call: Call): Promise<void> {
    this.attempts++;
    await this.before(notice, call);
    this.sent.push(notice);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A notice as others need it, with what the test changes about it. */
export function aNotice(change: Partial<Notice> = {}): Notice {
  return {
    kind: "normal",
    text: "Downloaded artifact for `v1.2.3`",
    at: new Date("2026-01-02T03:04:05Z"),
    identity: { app: "shop", host: "web-1", mode: "server" },
    ...change,
  };
}
