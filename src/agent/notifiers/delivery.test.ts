import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { aNotice, FakeNotifier } from "../notifier.fake.ts";
import { Delivery, type DeliveryParts } from "./delivery.ts";
import { failure } from "./notifier-failure.ts";

const down = failure("UNAVAILABLE", "a.test does not answer", { hint: "wait" });

describe("the delivery of notices", () => {
  it("keeps the order, one at a time", async () => {
    const { delivery, notifier, settled } = open();
    let sending = 0;
    notifier.before = async () => {
      expect(++sending).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      sending--;
    };

    for (const text of ["one", "two", "three"]) delivery.add(aNotice({ text }));
    await settled();

    expect(notifier.texts).toEqual(["one", "two", "three"]);
  });

  it("works again after it had nothing to do", async () => {
    const { delivery, notifier, settled } = open();

    delivery.add(aNotice({ text: "one" }));
    await settled();
    delivery.add(aNotice({ text: "two" }));
    await settled();

    expect(notifier.texts).toEqual(["one", "two"]);
  });

  it("tries again, later and later, and what comes after waits for it", async () => {
    const { delivery, notifier, clock, settled } = open();
    notifier.before = () => {
      if (notifier.attempts <= 3) throw down;
    };

    delivery.add(aNotice({ text: "one" }));
    delivery.add(aNotice({ text: "two" }));
    await settled();
    expect(notifier.attempts).toBe(1);
    await clock.advance(1_000);
    expect(notifier.attempts).toBe(2);
    await clock.advance(2_000);
    expect(notifier.attempts).toBe(3);
    await clock.advance(1_999); // half of four seconds is random
    await clock.advance(2_001);

    expect(notifier.texts).toEqual(["one", "two"]);
  });

  it("stays away as long as it is asked to", async () => {
    const { delivery, notifier, clock, settled } = open();
    notifier.before = () => {
      if (notifier.attempts === 1) throw failure("RATE_LIMITED", "slow", { retryAfterMs: 90_000 });
    };

    delivery.add(aNotice());
    await settled();
    await clock.advance(89_999);
    expect(notifier.attempts).toBe(1);
    await clock.advance(1);

    expect(notifier.sent).toHaveLength(1);
  });

  it("does not stay away for longer than an hour, whatever it is asked", async () => {
    const { delivery, notifier, clock, settled } = open();
    notifier.before = () => {
      if (notifier.attempts === 1) throw failure("RATE_LIMITED", "slow", { retryAfterMs: 1e12 });
    };

    delivery.add(aNotice());
    await settled();
    await clock.advance(3_600_000);

    expect(notifier.sent).toHaveLength(1);
  });

  it("gives up on a notice in the end, and the next one says so", async () => {
    const { delivery, notifier, clock, settled } = open();
    notifier.before = ({ text }) => {
      if (text === "lost") throw down;
    };

    delivery.add(aNotice({ text: "lost" }));
    delivery.add(aNotice({ text: "next" }));
    await settled();
    for (let round = 0; round < 20; round++) await clock.advance(300_000);

    expect(notifier.attempts).toBe(13);
    expect(notifier.texts).toEqual(["next\n\n(1 earlier notice could not be sent)"]);
  });

  it("does not repeat what will be refused again, and goes on with the next", async () => {
    const { delivery, notifier, settled } = open();
    notifier.before = ({ text }) => {
      if (text.startsWith("lost")) throw failure("REFUSED", "not in this channel");
    };

    for (const text of ["lost", "lost", "three", "four"]) delivery.add(aNotice({ text }));
    await settled();

    expect(notifier.attempts).toBe(4);
    expect(notifier.texts).toEqual(["three\n\n(2 earlier notices could not be sent)", "four"]);
  });

  it("keeps a hundred notices, of which the oldest goes first", async () => {
    const { delivery, notifier, clock, settled } = open();
    let isDown = true;
    notifier.before = () => {
      if (isDown) throw down;
    };

    for (let number = 0; number < 1_000; number++) delivery.add(aNotice({ text: `${number}` }));
    await settled();
    isDown = false;
    await clock.advance(1_000);
    await settled();

    expect(notifier.texts).toHaveLength(101);
    expect(notifier.texts[0]).toBe("0\n\n(899 earlier notices could not be sent)");
    expect(notifier.texts.slice(1)).toEqual(Array.from({ length: 100 }, (_, n) => `${900 + n}`));
  });

  it("says once in the log what is wrong, and once that it is over", async () => {
    const { delivery, notifier, logger, clock, settled } = open();
    notifier.before = () => {
      if (notifier.attempts <= 5) throw down;
    };

    delivery.add(aNotice());
    await settled();
    for (let round = 0; round < 5; round++) await clock.advance(60_000);

    expect(logger.messages("error")).toEqual(["notice failed"]);
    expect(logger.lines[0]?.fields).toEqual({ notifier: "fake://notices", error: down });
    expect(logger.messages("info")).toEqual(["notices arrive again"]);
  });

  it("calls it no error when the other side has too much to do for a moment", async () => {
    const { delivery, notifier, logger, clock, settled } = open();
    notifier.before = () => {
      if (notifier.attempts === 1) throw failure("RATE_LIMITED", "slow", { retryAfterMs: 1_000 });
    };

    delivery.add(aNotice());
    await settled();
    await clock.advance(1_000);

    expect(notifier.sent).toHaveLength(1);
    expect(logger.messages("error")).toEqual([]);
    expect(logger.messages("warn")).toEqual(["notice failed"]);
  });

  it("ends an attempt that takes too long, even of a notifier that does not listen", async () => {
    const { delivery, notifier, logger, clock } = open({ sendTimeoutMs: 20 });
    notifier.before = () => (notifier.attempts === 1 ? new Promise(() => {}) : undefined);

    delivery.add(aNotice());
    await expect.poll(() => logger.messages("error")).toEqual(["notice failed"]);
    await expect.poll(() => clock.sleeping).toBe(1);
    await clock.advance(1_000);

    expect(notifier.sent).toHaveLength(1);
    expect(String(logger.lines[0]?.fields.error)).toContain(
      "fake://notices: sending a notice took",
    );
  });

  it.each([new TypeError("a bug"), undefined, "text"])(
    "is not stopped by a notifier with a bug in it (%s)",
    async (thrown) => {
      const { delivery, notifier, logger, settled } = open();
      notifier.before = () => {
        if (notifier.attempts === 1) throw thrown;
      };

      delivery.add(aNotice({ text: "lost" }));
      delivery.add(aNotice({ text: "next" }));
      await settled();

      expect(notifier.texts).toEqual([expect.stringMatching(/^next\n\n\(1 earlier notice/)]);
      expect(logger.messages("error")).toEqual(["notice failed"]);
    },
  );
});

describe("closing a delivery", () => {
  it("sends what is left", async ({ signal }) => {
    const { delivery, notifier, logger } = open();

    delivery.add(aNotice({ text: "one" }));
    delivery.add(aNotice({ text: "two" }));
    await delivery.close({ signal });

    expect(notifier.texts).toEqual(["one", "two"]);
    expect(notifier.closed).toBe(true);
    expect(logger.messages("warn")).toEqual([]);
  });

  it("tries once more at once what was to be tried later", async ({ signal }) => {
    const { delivery, notifier, settled } = open();
    notifier.before = () => {
      if (notifier.attempts === 1) throw down;
    };
    delivery.add(aNotice({ text: "one" }));
    await settled();

    await delivery.close({ signal });

    expect(notifier.texts).toEqual(["one"]);
  });

  it("gives up after five seconds, and says how much was left", async ({ signal }) => {
    const { delivery, notifier, logger, clock } = open();
    notifier.before = () => new Promise(() => {});
    for (const text of ["one", "two", "three"]) delivery.add(aNotice({ text }));

    const closed = delivery.close({ signal });
    await clock.advance(5_000);
    await closed;

    expect(notifier.attempts).toBe(1);
    expect(notifier.closed).toBe(true);
    expect(logger.lines.at(-1)).toMatchObject({
      message: "notices were not sent",
      fields: { count: 3 },
    });
  });

  it("ends with its call", async () => {
    const { delivery, notifier } = open();
    notifier.before = () => new Promise(() => {});
    delivery.add(aNotice());
    const stop = new AbortController();

    const closed = delivery.close(stop);
    stop.abort();
    await closed;

    expect(notifier.closed).toBe(true);
  });

  it("takes no more notices", async ({ signal }) => {
    const { delivery, notifier } = open({ clock: systemClock });
    await delivery.close({ signal });

    delivery.add(aNotice());
    await new Promise((resolve) => setImmediate(resolve));

    expect(notifier.attempts).toBe(0);
  });
});

function open(change: Partial<DeliveryParts> = {}) {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const notifier = new FakeNotifier();
  const delivery = new Delivery(notifier, { clock, logger, ...change });
  /** Lets everything run that does not wait for the time. */
  const settled = () => clock.advance(0);
  return { delivery, notifier, logger, clock, settled };
}
