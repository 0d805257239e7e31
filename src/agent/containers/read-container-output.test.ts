import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { readContainerOutput } from "./read-container-output.ts";
import type { Container, ContainerRuntime, LogLine, LogOptions } from "./runtime.ts";

const now = "2026-11-29T12:00:00.000Z";

it("goes on with what is written from now on alone, where nothing of the past is asked for", async () => {
  const ending = new AbortController();
  const asked: LogOptions[] = [];
  const written = [lineAt("11:00:00"), lineAt("11:59:59"), lineAt("12:00:07")];
  const runtime = {
    list: async () => [{ id: "1", name: "web-1", state: "running", labels: {} } as Container],
    async *logs(_: string, { tail, since = "", follow }: LogOptions) {
      asked.push({ tail, since, follow });
      const some = written.filter(({ at }) => at >= since && (follow || at < now));
      yield* tail === undefined ? some : some.slice(some.length - tail);
    },
  } as unknown as ContainerRuntime;
  const wanted = { most: 0, since: undefined, follow: true };
  const clock = new FakeClock(new Date(now));

  const read: string[] = [];
  for await (const { at } of readContainerOutput("/app", wanted, { runtime, clock }, ending)) {
    read.push(at);
    break;
  }
  ending.abort();

  expect(read).toEqual([lineAt("12:00:07").at]);
  expect(asked[1]).toMatchObject({ follow: true, since: "2026-11-29T12:00:00.000000000Z" });
});

function lineAt(time: string): LogLine {
  return { at: `2026-11-29T${time}.000000000Z`, stream: "stdout", text: "x" };
}
