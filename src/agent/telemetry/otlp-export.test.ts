import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { OtlpError } from "../../base/otlp-post.ts";
import { startOtlpExport } from "./otlp-export.ts";

it("sends every 15 seconds, and once more at the end", async ({ signal }) => {
  const { clock, sent, otlp, isClosed } = start();

  await clock.advance(14_999);
  expect(sent()).toBe(0);
  await clock.advance(1);
  expect(sent()).toBe(1);
  await clock.advance(15_000);
  expect(sent()).toBe(2);
  await otlp.close({ signal });

  expect(sent()).toBe(3);
  expect(isClosed()).toBe(true);
});

it("says once that the collector is down, and once that it is back", async ({ signal }) => {
  const { clock, collector, logger, otlp } = start();

  collector.isDown = true;
  for (let round = 0; round < 3; round++) await clock.advance(15_000);
  collector.isDown = false;
  for (let round = 0; round < 2; round++) await clock.advance(15_000);
  await otlp.close({ signal });

  expect(logger.messages("warn")).toEqual(["Metrics could not be sent"]);
  expect(logger.messages("info")).toEqual(["Metrics are sent again"]);
});

it("ends although the collector hangs", async () => {
  const { clock, collector, logger, otlp, isClosed } = start();
  collector.isHanging = true;
  await clock.advance(15_000);

  await otlp.close({ signal: AbortSignal.timeout(100) });

  expect(isClosed()).toBe(true);
  expect(logger.lines.map(({ fields }) => String(fields.error))).toEqual([
    expect.stringContaining("the collector did not answer in time"),
  ]);
});

function start() {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const collector = { isDown: false, isHanging: false };
  let sent = 0;
  let closed = false;
  const otlp = startOtlpExport({
    sender: {
      async send(_request, { signal }) {
        if (collector.isHanging) {
          await new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          });
        }
        if (collector.isDown) throw new OtlpError("UNREACHABLE", "down");
        sent++;
      },
      close() {
        closed = true;
      },
    },
    read: async () => ({}),
    clock,
    logger,
  });
  return { clock, logger, collector, otlp, sent: () => sent, isClosed: () => closed };
}
