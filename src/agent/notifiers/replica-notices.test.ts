import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import type { AgentEvent } from "../event.ts";
import { openNotices } from "./notices.ts";

const unwell: AgentEvent = {
  ...{ type: "replica unwell", replica: "web-1-0", tag: "v1" },
  ...{ reason: "GET /healthz answered 500", isServing: false },
};
const wellAgain: AgentEvent = { type: "replica well again", replica: "web-1-0", tag: "v1" };

it("tells of a replica that is unwell, whether it keeps the traffic, and that it is well again", () => {
  const texts = open();

  expect(texts(unwell, wellAgain, { ...unwell, isServing: true })).toEqual([
    "`web-1-0` of `v1` is unwell, and leaves the traffic: GET /healthz answered 500",
    "`web-1-0` is well again",
    "`web-1-0` of `v1` is unwell, and keeps the traffic, since no other one is well: GET /healthz answered 500",
  ]);
});

it("falls silent about replicas that are well and unwell in turns", () => {
  const texts = open();

  expect(texts(unwell, wellAgain, unwell, wellAgain, unwell)).toHaveLength(5);
  expect(texts(wellAgain, unwell, wellAgain, unwell)).toHaveLength(1);
});

function open() {
  const identity = { app: "web", host: "h1", mode: "container" } as const;
  const notices = openNotices({ identity, clock: new FakeClock(), environment: {} });
  return (...events: readonly AgentEvent[]) =>
    events.flatMap((event) => notices(event)?.text ?? []);
}
