import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { type Running, until } from "../../bench/stage.ts";
import type { ContainerStage } from "../external/container-stage.ts";

/** Nothing is left of what was interrupted. */
export async function isTidy({ directory }: ContainerStage): Promise<void> {
  const names = await readdir(join(directory, "releases"));
  expect(names.filter((name) => name.startsWith("."))).toEqual([]);
  expect((await readdir(directory)).sort()).toEqual([".dewy", "current", "releases"]);
  const kept = await readdir(join(directory, ".dewy"));
  expect(kept.filter((name) => name.startsWith("pull-"))).toEqual([]);
  expect(await readdir(join(directory, ".dewy/cache/partial"))).toEqual([]);
}

/** Since the agent has begun with the release `tag`. */
export async function said(agent: Running, tag: string, words: string): Promise<void> {
  await until(
    `it says of ${tag}: ${words}`,
    async () => {
      const [, ...since] = agent.log().split(`tag=${tag}`);
      return since.join().includes(words);
    },
    60_000,
  );
}
