import { mkdtemp, readdir, readFile, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AgentEvent } from "../event.ts";
import { type HookParts, runHook } from "./hook.ts";

it("runs in the directory, and is told of the deployment", async ({ signal }) => {
  const { parts, lines } = await host();

  await run(
    'pwd; echo "$DEWY_TAG after $DEWY_PREVIOUS_TAG in $DEWY_RELEASE_DIR, $OWN"',
    parts,
    signal,
  );

  expect(lines()).toEqual([
    await realpath(parts.directory),
    "v1.1.0 after v1.0.0 in /releases/2, mine",
  ]);
});

it("logs no secret of the agent's that it writes, though it is given them", async ({ signal }) => {
  const { parts, lines } = await host();
  const own = { GITHUB_TOKEN: "ghp_hunter2hunter2", GITHUB_APP_ID: "12345678" };
  const environment = { ...parts.environment, ...own };

  await run('echo "token: $GITHUB_TOKEN of $GITHUB_APP_ID"', { ...parts, environment }, signal);

  expect(lines()).toEqual(["token: *** of 12345678"]);
});

it("logs standard error as well", async ({ signal }) => {
  const { parts, lines } = await host();

  await run("echo broken >&2", parts, signal);

  expect(lines()).toEqual(["broken"]);
});

it.each([
  ["exit 3", "ended with status 3"],
  ["kill -TERM $$", "was ended by SIGTERM"],
  ["no-such-command-anywhere", "ended with status 127"],
])("fails when the hook does: %s", async (command, expected) => {
  const { parts } = await host();

  const result = run(`: token=hunter2; ${command}`, parts, AbortSignal.timeout(30_000));

  await expect(result).rejects.toMatchObject({ code: "HOOK_FAILED" });
  await expect(result).rejects.toThrow(expected);
  await expect(result).rejects.not.toThrow("hunter2");
});

it("says how it went, and only the log has the command", async ({ signal }) => {
  const { parts, logger, events } = await host();

  await run("true hunter2", parts, signal);
  await expect(run("exit 3", parts, signal)).rejects.toThrow();

  expect(events).toMatchObject([
    { type: "hook ended", hook: "before-deploy", tag: "v1.1.0" },
    {
      type: "hook ended",
      error: { code: "HOOK_FAILED", hint: expect.stringContaining("run it by hand") },
    },
  ]);
  expect(JSON.stringify(events)).not.toContain("hunter2");
  expect(logger.messages("info")).toEqual(["Execute hook", "Execute hook failed"]);
  expect(logger.lines[0]?.fields).toMatchObject({ command: "true hunter2" });
});

it("kills a hook that takes too long, and what it started", async ({ signal }) => {
  const { parts, lines } = await host();

  const result = run("sleep 600 & echo $!; wait", { ...parts, timeoutMs: 3000 }, signal);

  await expect(result).rejects.toThrow("the before-deploy hook took longer than 3 s");
  expect(lines()).toHaveLength(1);
  await vi.waitFor(async () => expect(await isRunning(Number(lines()[0]))).toBe(false), 10_000);
});

it("says so when the hook cannot even be started", async ({ signal }) => {
  const { parts } = await host();
  const directory = join(parts.directory, "gone");

  const result = run("true", { ...parts, directory }, signal);

  await expect(result).rejects.toMatchObject({
    name: "HookError",
    message: "the before-deploy hook could not be started (ENOENT)",
    hint: expect.stringContaining("check the directory"),
  });
});

it("leaves nothing beside a hook that has ended", async ({ signal }) => {
  const { parts, lines } = await host();

  await run("echo $$; test -e /proc/$$/fd/3 && echo held || echo free", parts, signal);

  const [group, pipe] = lines();
  expect(pipe).toBe("free");
  await vi.waitFor(async () => expect(await runningIn(Number(group))).toEqual([]), 10_000);
});

it("stops when told to", async () => {
  const { parts } = await host();
  const stop = new AbortController();

  const result = run("sleep 600", parts, stop.signal);
  stop.abort(new Error("told to stop"));

  await expect(result).rejects.toThrow("told to stop");
});

it("does not wait for what the hook leaves running", async ({ signal }) => {
  const { parts, lines } = await host();

  await run("sleep 600 & echo $!", parts, signal);

  const pid = Number(lines()[0]);
  expect(await isRunning(pid)).toBe(true);
  process.kill(pid, "SIGKILL");
});

it("leaves out what is more than a log can take", async ({ signal }) => {
  const { parts, lines, logger } = await host();

  await run("seq 1 5000; head -c 10000000 /dev/zero | tr '\\0' x", parts, signal);

  expect(lines()).toHaveLength(1000);
  expect(logger.messages("warn")).toEqual(["the rest of the hook's output is left out"]);
});

async function host() {
  const logger = new FakeLogger();
  const events: AgentEvent[] = [];
  const directory = await mkdtemp(join(tmpdir(), "dewy-hook-"));
  const parts: HookParts = {
    directory,
    environment: { PATH: process.env.PATH, OWN: "mine" },
    logger,
    observe: (event) => events.push(event),
  };
  const lines = () =>
    logger.lines
      .filter(({ message }) => message === "hook output")
      .map(({ fields }) => String(fields.line));
  return { parts, logger, lines, events };
}

function run(command: string, parts: HookParts, signal: AbortSignal): Promise<void> {
  const facts = { tag: "v1.1.0", previousTag: "v1.0.0", releaseDirectory: "/releases/2" };
  return runHook({ name: "before-deploy", command }, facts, parts, { signal });
}

/** Zombies, which nobody has waited for yet, do not run. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** Those of a process group that still run. */
async function runningIn(group: number): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")),
  );
  return stats.filter((stat) => new RegExp(`\\) [^ZX] \\d+ ${group} `).test(stat));
}
