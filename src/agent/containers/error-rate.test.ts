import { describe, expect, it } from "vitest";
import { compareErrorRates } from "./error-rate.ts";

const loads = (entries: Record<string, [total: number, failed: number]>) =>
  new Map(Object.entries(entries).map(([id, [total, failed]]) => [id, { open: 0, total, failed }]));
const none = loads({});

describe("compareErrorRates", () => {
  it.each([
    ["nothing has failed", { new: [100, 0], old: [100, 0] }],
    ["four failures are chance", { new: [4, 4], old: [100, 0] }],
    ["both fail alike", { new: [100, 40], old: [100, 38] }],
    ["few of many fail", { new: [1000, 40], old: [1000, 0] }],
  ] as const)("accepts that %s", (_, { new: fresh, old }) => {
    const now = loads({ new: [...fresh], old: [...old] });

    expect(() => compareErrorRates(["new"], ["old"], none, now)).not.toThrow();
  });

  it("refuses new replicas that fail where the old ones do not", () => {
    const before = loads({ new: [0, 0], old: [5_000, 900] });
    const now = loads({ new: [50, 20], old: [5_100, 901] });

    expect(() => compareErrorRates(["new"], ["old"], before, now)).toThrow(
      "20 of 50 connections to the new replicas failed, and 1 of 100 to the old ones",
    );
  });
});
