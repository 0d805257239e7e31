import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { ConfigError } from "../../base/errors.ts";
import type { AgentEvent, Deployment, Mode } from "../event.ts";
import { ReleaseRegistryError } from "../release.ts";
import { openNotices } from "./notices.ts";

const down = new ReleaseRegistryError("UNAVAILABLE", "ghr://a/b: GitHub does not answer", {
  hint: "see the log just above",
});
const started = (ports: readonly number[]): AgentEvent => ({
  ...{ type: "started", version: "0.1.0", registry: "ghr://a/b", ports },
});
const pollFailed: AgentEvent = { type: "poll failed", error: down, failures: 1 };
const recovered = (failures: number): AgentEvent => ({ type: "recovered", failures });
const fetched: AgentEvent = {
  ...{ type: "fetched", tag: "v2", artifact: "a.zip", sizeBytes: 1, from: "registry" },
};
const hookEnded = (error?: unknown): AgentEvent => ({
  ...{ type: "hook ended", hook: "before-deploy", tag: "v2", durationMs: 20 },
  ...(error !== undefined && { error }),
});
const rolledBack: AgentEvent = {
  ...{ type: "rolled back", tag: "v2", to: "v1", reason: "v2 died 3 times", deaths: 3 },
};
const halted: AgentEvent = {
  ...{ type: "rollout halted", tag: "v2", reason: "it was bad on h7: it died" },
  ...{ installed: 1, hosts: 100 },
};
const died: AgentEvent = { type: "app died", how: "was ended by SIGKILL" };

describe("what people are told", () => {
  it.each<[AgentEvent, string, string]>([
    [started([80]), "normal", "Automatic shipping started by *Dewy* (v0.1.0: server)"],
    [fetched, "normal", "Downloaded artifact for `v2`"],
    [{ ...fetched, from: "cache" }, "normal", "Downloaded artifact for `v2`"],
    [
      halted,
      "error",
      "The rollout of `v2` is halted, begun on 1 of 100 hosts: it was bad on h7: it died",
    ],
    [rolledBack, "important", "Rolled back to `v1` by itself: v2 died 3 times"],
    [hookEnded(), "hook", "Before Deploy hook succeeded for `v2`"],
    [hookEnded(down), "hook", `Before Deploy hook failed for \`v2\`: ${down.message}`],
    [deployed(undefined), "important", "Server started for `v2`"],
    [deployed("v1"), "important", "Server restarted for `v2`"],
    [
      deployed("v1", { kind: "person", name: "alice (uid 7)", reason: "it is slow" }),
      "important",
      "Server restarted for `v2`, as alice (uid 7) decided (it is slow)",
    ],
    [deployed("v1", { kind: "wait" }), "important", "Server restarted for `v2`, which had waited"],
    [appStarted("boot", "v2"), "important", "Server started for `v2`"],
    [appStarted("boot", undefined), "important", "Server started"],
    [appStarted("signal", "v2"), "normal", "Restarted receiving by `SIGUSR1` signal"],
    [pollFailed, "error", `Error occurred (count: 1): ${down.message}`],
    [
      deploymentFailed(undefined),
      "error",
      `Error occurred (count: 1): deployment of \`v2\` failed: ${down.message}`,
    ],
    [
      deploymentFailed("v1"),
      "error",
      `Error occurred (count: 1): deployment of \`v2\` failed, \`v1\` stays in service: ${down.message}`,
    ],
    [died, "error", "App died (count: 1): was ended by SIGKILL"],
    [{ type: "stopping", reason: "SIGTERM" }, "normal", "Stop receiving by `terminated` signal"],
    [stopping("told to stop by SIGTERM"), "normal", "Stop receiving by `terminated` signal"],
    [stopping("SIGUSR2"), "normal", "Stop receiving by `SIGUSR2` signal"],
    [stopping("the disk is gone"), "normal", "Stop receiving: the disk is gone"],
    [{ type: "stopping", reason: "SIGINT" }, "normal", "Stop receiving by `interrupt` signal"],
    [{ type: "stopping", reason: "SIGQUIT" }, "normal", "Stop receiving by `quit` signal"],
  ])("has the original's words for %j", (event, kind, text) => {
    expect(open().told(event)).toMatchObject({ kind, text });
  });

  it.each<[AgentEvent]>([
    [{ type: "polled", durationMs: 1, tag: "v2" }],
    [{ type: "rate limit told", remaining: 1, limit: 2, resetAt: new Date(0) }],
    [{ type: "phase ended", phase: "fetched" as never, tag: "v2", durationMs: 1 }],
    [appStarted("deploy", "v2")],
    [recovered(1)],
    [{ ...fetched, from: "disk" }],
  ])("is nothing for %j", (event) => {
    expect(open().told(event)).toBeUndefined();
  });

  it.each([
    [undefined, ""],
    [true, "\n```\nconnecting with ***\nno such table\n```"],
  ])("tells the last lines of a release only when asked to: %s", (tellsLogTail, lines) => {
    const environment = { DB_PASSWORD: "hunter2hunter2" };
    const logTail = ["connecting with hunter2hunter2", "no such table"];
    const identity = { app: "web", host: "h1", mode: "server" } as const;
    const notice = openNotices({ identity, clock: new FakeClock(), environment, tellsLogTail });

    expect(
      notice({ type: "release quarantined", tag: "v2", reason: "it died", failures: 1, logTail }),
    ).toMatchObject({
      kind: "error",
      text:
        "`v2` has failed once, and is not tried again until a newer release appears or somebody " +
        `calls \`dewy retry v2\`: it died${lines}`,
    });
  });

  it("says of an app without a port that it has none", () => {
    const { texts } = open();

    expect(texts(started([]), deployed("v1"), appStarted("boot", "v2"))).toEqual([
      expect.stringContaining("started by"),
      "Server restarted for `v2` without port",
      "Server started for `v2` without port",
    ]);
  });

  it("says of files that they are in their place", () => {
    const { texts } = open("assets");

    expect(texts(started([]), deployed(undefined))).toEqual([
      "Automatic shipping started by *Dewy* (v0.1.0: assets)",
      "Deployed `v2`",
    ]);
  });

  it("says when it was, and on which host", () => {
    expect(open().told(fetched)).toMatchObject({
      at: new Date("2026-01-01T00:00:00Z"),
      identity: { app: "shop", host: "web-1", mode: "server" },
    });
  });
});

describe("errors that do not end", () => {
  it("are told three times, the third saying so, and then there is silence", () => {
    const { texts } = open();

    expect(texts(...Array(1_000).fill(pollFailed))).toEqual([
      `Error occurred (count: 1): ${down.message}`,
      `Error occurred (count: 2): ${down.message}`,
      `⚠️ No more error notifications will be sent until errors are resolved.\n\nError occurred (count: 3): ${down.message}`,
    ]);
  });

  it("are counted together, whatever it is that fails", () => {
    const { texts } = open();

    const counts = texts(pollFailed, deploymentFailed("v1"), pollFailed, deploymentFailed("v1"));

    expect(counts.map((text) => /count: (\d)/.exec(text)?.[1])).toEqual(["1", "2", "3"]);
  });

  it("end with one message, whether or not the last of them were told", () => {
    const { texts } = open();
    texts(pollFailed, pollFailed, pollFailed, pollFailed);

    expect(texts(recovered(40), recovered(40), pollFailed)).toEqual([
      "Recovered after 4 failures: all is well again",
      `Error occurred (count: 1): ${down.message}`,
    ]);
  });

  it("hide neither the deployment that ends them nor the end of the agent", () => {
    const { texts } = open();
    texts(pollFailed, pollFailed, pollFailed, pollFailed);

    expect(texts(fetched, hookEnded(), deployed("v1"), recovered(4), stopping("SIGTERM"))).toEqual([
      "Downloaded artifact for `v2`",
      "Before Deploy hook succeeded for `v2`",
      "Server restarted for `v2`",
      "Recovered after 4 failures: all is well again",
      "Stop receiving by `terminated` signal",
    ]);
  });

  it("do not repeat what a deployment does each time it is tried", () => {
    const { texts } = open();
    const attempt = [fetched, hookEnded(), hookEnded(down), deploymentFailed("v1")];

    expect(texts(...attempt)).toHaveLength(4);
    expect(texts(...attempt)).toEqual([expect.stringContaining("count: 2")]);
    expect(texts({ ...hookEnded(), tag: "v3" } as AgentEvent)).toHaveLength(1);
    expect(texts(deployed("v1"), fetched)).toHaveLength(2);
  });
});

describe("an app that keeps dying", () => {
  it("is told three times, and again after it had stayed up for a while", () => {
    const { texts, clock } = open();

    expect(texts(died, died, died, died)).toEqual([
      "App died (count: 1): was ended by SIGKILL",
      "App died (count: 2): was ended by SIGKILL",
      expect.stringMatching(/^⚠️ No more deaths.+\n\nApp died \(count: 3\)/),
    ]);
    void clock.advance(599_999);
    expect(texts(died)).toEqual([]);
    void clock.advance(600_000);
    expect(texts(died)).toEqual(["App died (count: 1): was ended by SIGKILL"]);
  });

  it("is told to run again as long as its deaths are told", () => {
    const { texts } = open();

    expect(texts(died, appStarted("death", "v2"))).toContain(
      "Server started for `v2`, after the app had died",
    );
    texts(died, died, died);
    expect(texts(appStarted("death", "v2"))).toEqual([]);
  });

  it("does not use up the errors of the deployment", () => {
    const { texts } = open();
    texts(died, died, died, died);

    expect(texts(pollFailed)).toEqual([expect.stringContaining("count: 1")]);
  });
});

describe("what must not leave the host", () => {
  it.each([
    new ConfigError("asked with ghp_0123456789 for it"),
    new ReleaseRegistryError("UNAVAILABLE", "https://me:hunter2@a.test/x is down"),
    new ReleaseRegistryError("UNAVAILABLE", "GET https://a.test/x?X-Amz-Signature=abcdef&n=1"),
    Object.assign(new Error("spawn app --database=postgres://u:p@db"), { code: "ENOENT" }),
    new TypeError("cannot read 'hunter2'"),
    "hunter2",
    undefined,
  ])("is not in a notice: %s", (error) => {
    const { texts } = open();

    const [text = ""] = texts({ type: "poll failed", error, failures: 1 });

    expect(text).toMatch(/^Error occurred \(count: 1\): \S/);
    expect(text).not.toMatch(/ghp_|hunter2|abcdef|postgres|--database/);
  });

  it("names the kind of a bug, and leaves its words to the log", () => {
    const { texts } = open();

    expect(texts({ type: "poll failed", error: new TypeError("x"), failures: 1 })).toEqual([
      "Error occurred (count: 1): something unexpected (TypeError); the log says more",
    ]);
  });

  it("is bounded, and one line", () => {
    const { texts } = open();
    const error = new ConfigError(`two\nlines\u0007 and ${"more ".repeat(10_000)}`);

    const [text = ""] = texts({ type: "poll failed", error, failures: 1 });

    expect(text.length).toBeLessThan(1_100);
    expect(text).toMatch(/^Error occurred \(count: 1\): two lines and more [^\n]+ …$/);
  });
});

function open(mode: Mode = "server") {
  const clock = new FakeClock();
  const told = openNotices({
    clock,
    identity: { app: "shop", host: "web-1", mode },
    environment: { GITHUB_TOKEN: "ghp_0123456789", SHORT_KEY: "a", PATH: "/bin" },
  });
  const texts = (...events: AgentEvent[]) => events.flatMap((event) => told(event)?.text ?? []);
  return { told, texts, clock };
}

function stopping(reason: string): AgentEvent {
  return { type: "stopping", reason };
}

function deployment(previousTag: string | undefined): Deployment {
  return {
    ...{ tag: "v2", previousTag, artifact: "a.zip", identity: "1", durationMs: 1 },
    ...{ digest: undefined, directory: undefined, startedAt: new Date(0) },
  };
}

function deployed(previousTag: string | undefined, by?: Deployment["by"]): AgentEvent {
  return { type: "deployed", deployment: { ...deployment(previousTag), by } };
}

function deploymentFailed(previousTag: string | undefined): AgentEvent {
  return {
    ...{ type: "deployment failed", deployment: deployment(previousTag) },
    ...{ error: down, failures: 1 },
  };
}

function appStarted(
  reason: "deploy" | "signal" | "boot" | "death",
  tag: string | undefined,
): AgentEvent {
  return { type: "app started", reason, tag, pid: 1 };
}
