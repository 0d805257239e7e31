import { expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { refuseConnections } from "./refusal.ts";

it("closes the ports where nobody serves there or is about to", async () => {
  expect(await closings({})).toBe(1);
});

it.each([
  { who: "who was left there serves", isHeld: true },
  { who: "a release is started", isNeeded: true },
  { who: "a start begins while it looks for who was left", beginsMeanwhile: true },
])("leaves the ports open where $who", async (each) => {
  expect(await closings(each)).toBe(0);
});

async function closings({ isHeld = false, isNeeded = false, beginsMeanwhile = false }) {
  let closed = 0;
  let hasBegun = isNeeded;
  await refuseConnections({
    served: {
      sockets: [{ port: 8000, fd: 3, close() {} }],
      ports: [8000],
      async close() {
        closed++;
      },
    },
    kept: { outlive: false },
    async isHeld() {
      hasBegun ||= beginsMeanwhile;
      return isHeld;
    },
    isNeeded: () => hasBegun,
    logger: new FakeLogger(),
  });
  return closed;
}
