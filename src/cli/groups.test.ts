import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { planOf } from "./plan.ts";

describe("the groups of a dewy.yaml", () => {
  it("are in the order that after demands, and in the file's otherwise", async () => {
    const apps = await appsOf(
      "web: {group: shop, after: [api, worker]}",
      "worker: {group: shop, after: database}",
      "api: {group: shop, after: database}",
      "database: {group: shop}",
      "alone: {}",
      "single: {group: other}",
    );

    const order = { name: "shop", apps: ["database", "worker", "api", "web"] };
    expect(apps.map(({ name, group }) => [name, group])).toEqual([
      ...["web", "worker", "api", "database"].map((name) => [name, order]),
      ["alone", undefined],
      ["single", undefined],
    ]);
  });

  it.each([
    [
      ["a: {group: g, after: b}", "b: {group: g, after: a}"],
      "dewy.yaml:4:17: apps.a.after: a, b come after one another in a circle",
    ],
    [
      ["a: {group: g, after: c}", "b: {group: g}", "c: {}"],
      "dewy.yaml:4:17: apps.a.after: it cannot come after c: of its group are b",
    ],
    [
      ["a: {after: b}", "b: {}"],
      "dewy.yaml:4:7: apps.a.after: it cannot come after b: the app has no group",
    ],
  ])("are refused where they have no order: %j", async (lines, problem) => {
    await expect(appsOf(...lines)).rejects.toThrow(problem);
  });
});

async function appsOf(...lines: string[]) {
  const directory = await mkdtemp(join(tmpdir(), "dewy-groups-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const text = `mode: assets\nregistry: ghr://a/b\napps:\n${lines.map((line) => `  ${line}\n`).join("")}`;
  await writeFile(join(directory, "dewy.yaml"), text);
  const { signal } = new AbortController();
  const context = { directory, environment: {}, signal, clock: systemClock };
  const plan = await planOf(undefined, () => undefined, context as never);
  return plan.apps;
}
