import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { expect, it, onTestFinished } from "vitest";
import { readKept } from "./kept-json.ts";
import { FakeLogger } from "./logger.fake.ts";

it("reads what is there, and warns of what is not to be read", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-kept-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const logger = new FakeLogger();
  const read = async (name: string, text?: string) => {
    const path = join(directory, name);
    if (text !== undefined) await writeFile(path, text);
    const schema = v.object({ count: v.number() });
    return await readKept(schema, path, { trouble: "It is counted anew", logger });
  };

  expect(await read("good", '{ "count": 3 }')).toEqual({ count: 3 });
  expect(await read("none")).toBeUndefined();
  expect(logger.lines).toEqual([]);
  expect(await read("broken", "{")).toBeUndefined();
  expect(await read("other", '{ "count": "3" }')).toBeUndefined();

  expect(logger.messages("warn")).toEqual(["It is counted anew", "It is counted anew"]);
  expect(logger.lines[1]?.fields?.error).toMatch(/^count: /);
});
