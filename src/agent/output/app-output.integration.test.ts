import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, writeSync } from "node:fs";
import { mkdtemp, open as openFile, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Call } from "../../base/call.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { until } from "../supervisor/sample-app.fake.ts";
import { openAppOutput } from "./app-output.ts";
import type { PassTo } from "./generation-output.ts";
import type { OutputEntry } from "./output-entry.ts";
import { openOutputFile, outputPaths } from "./output-file.ts";
import { openPipes } from "./pipes.ts";
import { readOutput } from "./read-output.ts";

describe("the output of an app", () => {
  it("is kept line by line, with its stream, generation and release", async ({ signal }) => {
    const { output, run, read, directory } = await prepare();

    await run(7, "echo one; echo two >&2; printf 'no end'", { signal });
    expect((await output.lastWords()).lines).toEqual(
      expect.arrayContaining(["one", "two", "no end"]),
    );
    await output.close();

    const entries = await read();
    const about = { generation: 7, tag: "v1.0.0", at: expect.any(String) };
    expect(entries.filter(({ stream }) => stream === "stdout")).toEqual([
      { ...about, stream: "stdout", text: "one" },
      { ...about, stream: "stdout", text: "no end" },
    ]);
    expect(entries.filter(({ stream }) => stream === "stderr")).toEqual([
      { ...about, stream: "stderr", text: "two" },
    ]);
    expect(await readdir(join(directory, ".dewy"))).toEqual(["output.jsonl"]);
    expect((await stat(outputPaths(directory)[0])).mode & 0o777).toBe(0o600);
  });

  it("says the last words of who has ended, though the next one is there already", async ({
    signal,
  }) => {
    const { output, run } = await prepare();

    await run(1, "echo first", { signal });
    const words = output.lastWords();
    await run(2, "echo second", { signal });

    expect((await words).lines).toEqual(["first"]);
  });

  it("may be opened again by its name, as /dev/stdout", async ({ signal }) => {
    const { output, run } = await prepare();

    await run(1, "echo there >/dev/stdout", { signal });

    expect((await output.lastWords()).lines).toEqual(["there"]);
  });

  it.each([
    { what: "was read to its end", script: "exit 1", areAll: true },
    { what: "somebody may still write to", script: "sleep 600", areAll: false },
  ])("says whether its last words are all: one that $what", async ({ script, areAll }) => {
    const { signal } = new AbortController();
    const sleep: Clock["sleep"] = (_ms, call) => systemClock.sleep(areAll ? 60_000 : 0, call);
    const { output, open } = await prepare({}, undefined, { ...systemClock, sleep });

    const child = await open(1, script, { signal });
    onTestFinished(() => void child.kill("SIGKILL"));

    expect(await output.lastWords()).toEqual({ lines: [], areAll });
  });

  it("says the last words without what the agent signs in with", async ({ signal }) => {
    const { output, run } = await prepare({ GITHUB_TOKEN: "ghs_verysecret" });

    await run(1, "for n in $(seq 60); do echo $n; done; echo token ghs_verysecret", { signal });

    const { lines } = await output.lastWords();
    expect(lines).toHaveLength(50);
    expect(lines.at(-1)).toBe("token ***");
  });

  it("is whole though it is more than a pipe holds, and its lines are cut", async ({ signal }) => {
    const { output, run, read } = await prepare();

    await run(1, `head -c 300000 /dev/zero | tr '\\0' x; echo; echo end`, { signal });
    await output.lastWords();
    await output.close();

    expect((await read()).map(({ text }) => text.length)).toEqual([8_192, 3]);
  });
});

it("stops nobody but the app when what the agent writes to is not read", async ({ signal }) => {
  const directory = await temporaryDirectory();
  const { stdout: stuck, stderr: other } = await openPipes(directory, { signal });
  onTestFinished(() => {
    for (const pipe of [stuck, other]) [pipe.read, pipe.write, pipe.spare].map(closeSync);
  });
  const passTo = { stdout: stuck.write, stderr: stuck.write };
  const { open } = await prepare({}, passTo);
  const flood = "head -c 300000 /dev/zero & exec head -c 300000 /dev/zero >&2";

  for (let generation = 1; generation <= 4; generation++) {
    const child = await open(generation, flood, { signal });
    onTestFinished(() => void child.kill("SIGKILL"));
  }

  for (let time = 0; time < 100; time++) await stat(directory);
});

it("says the last words though what the agent writes to is not read", async ({ signal }) => {
  const { stdout, stderr } = await openPipes(await temporaryDirectory(), { signal });
  onTestFinished(() => {
    for (const pipe of [stdout, stderr]) [pipe.read, pipe.write, pipe.spare].map(closeSync);
  });
  await fill(stderr.write);
  const { output, open } = await prepare({}, { stdout: stdout.write, stderr: stderr.write });

  const child = await open(1, "echo why >&2; exec sleep 600", { signal });
  onTestFinished(() => void child.kill("SIGKILL"));

  await until(async () => (await output.lastWords()).lines.includes("why"));
});

describe("the file of an app's output", () => {
  it("is set aside when it is full, and read over both, each line once", async ({ signal }) => {
    const { directory, parts } = await prepare();
    const file = openOutputFile(directory, parts, 1_000);
    const seen: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      const call = { signal: stop.signal, clock: systemClock };
      for await (const { text } of readOutput(directory, { most: 10, follow: true }, call)) {
        seen.push(text);
      }
    })().catch(() => {});

    for (let number = 0; number < 40; number++) {
      file.write(line(`${number}`));
      if (number % 5 === 4) await file.flush();
      if (number % 5 === 4) await until(() => seen.length === number + 1);
    }
    stop.abort();
    await following;

    expect(seen).toEqual(Array.from({ length: 40 }, (_, number) => `${number}`));
    for (const path of outputPaths(directory)) expect((await stat(path)).size).toBeLessThan(1_001);
    const call = { signal, clock: systemClock };
    const newest: string[] = [];
    for await (const { text } of readOutput(directory, { most: 3, follow: false }, call)) {
      newest.push(text);
    }
    expect(newest).toEqual(["37", "38", "39"]);
  });
});

const line = (text: string): OutputEntry => ({
  ...{ at: new Date(0).toISOString(), stream: "stdout", generation: 1, text },
});

/** Until it takes no more. */
async function fill(pipe: number): Promise<void> {
  const end = await openFile(`/proc/self/fd/${pipe}`, constants.O_WRONLY | constants.O_NONBLOCK);
  const block = Buffer.alloc(512);
  try {
    for (;;) writeSync(end.fd, block);
  } catch (error) {
    if (systemCodeOf(error) !== "EAGAIN") throw error;
  } finally {
    await end.close();
  }
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-output-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function prepare(environment = {}, to?: PassTo, clock: Clock = systemClock) {
  const directory = await temporaryDirectory();
  const parts = { directory, environment, clock, logger: new FakeLogger() };
  const nowhere = await openFile("/dev/null", "w");
  onTestFinished(() => nowhere.close());
  const passTo = to ?? { stdout: nowhere.fd, stderr: nowhere.fd };
  const output = await openAppOutput({ ...parts, passTo, tag: async () => "v1.0.0" });
  const open = async (generation: number, script: string, call: Call) => {
    const ends = await output.open(generation, call);
    if (!ends) throw new Error("there are no pipes");
    const stdio = ["ignore", ends.stdout, ends.stderr] as const;
    const child = spawn("/bin/sh", ["-c", script], { stdio: [...stdio] });
    ends.given();
    return child;
  };
  return {
    ...{ directory, parts, output, open },
    async run(generation: number, script: string, call: Call) {
      await once(await open(generation, script, call), "exit");
    },
    async read() {
      const entries: OutputEntry[] = [];
      const call = { signal: new AbortController().signal, clock: systemClock };
      for await (const entry of readOutput(directory, { most: 100, follow: false }, call)) {
        entries.push(entry);
      }
      return entries;
    },
  };
}
