import { expect, it } from "vitest";
import { RepositoryLocks } from "./repository-locks.ts";

const call = { signal: new AbortController().signal };

it("adds side by side, removes alone, and lets nobody overtake", async () => {
  const locks = new RepositoryLocks();
  const log: string[] = [];
  const gates = [gate(), gate()] as const;
  const step = (name: string, until?: Promise<void>) => async () => {
    log.push(`+${name}`);
    await until;
    log.push(`-${name}`);
  };

  const all = [
    locks.adding("a", call, step("one", gates[0].opened)),
    locks.adding("a", call, step("two", gates[1].opened)),
    locks.removing("a", call, step("alone")),
    locks.adding("a", call, step("later")),
    locks.removing("b", call, step("elsewhere")),
  ];
  await all[4];
  gates[1].open();
  await all[1];
  gates[0].open();
  await Promise.all(all);

  expect(log.filter((line) => !line.endsWith("elsewhere"))).toEqual([
    ...["+one", "+two", "-two", "-one"],
    ...["+alone", "-alone", "+later", "-later"],
  ]);
});

it("goes on after a failure, and gives up waiting when the call ends", async () => {
  const locks = new RepositoryLocks();
  const failed = locks.removing("a", call, () => Promise.reject(new Error("full")));
  const next = locks.removing("a", call, async () => "done");
  const ended = locks.adding("a", { signal: AbortSignal.abort(new Error("stop")) }, async () => 1);

  await expect(failed).rejects.toThrow("full");
  expect(await next).toBe("done");
  await expect(ended).rejects.toThrow("stop");
});

function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
