import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { streamOf } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openTurns } from "../../base/turns.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Choice } from "../choose/choose.ts";
import type { AgentEvent } from "../event.ts";
import { thisHost } from "../host.ts";
import { beginAttempt } from "../ledger/attempt.ts";
import { openLedger, type Phase } from "../ledger/ledger.ts";
import { openAdmission } from "../verify/admission.ts";
import { openVerification } from "../verify/index.ts";
import { openArtifactStore } from "./artifact-store.ts";
import { deploy } from "./deploy.ts";
import type { DiskRules } from "./disk-room.ts";
import type { HookFacts } from "./hook.ts";
import { openReleases } from "./releases.ts";

/** A host with a real directory, on which a process is started only in name. */
export async function openHost() {
  const root = await mkdtemp(join(tmpdir(), "dewy-deploy-"));
  const logger = new FakeLogger();
  const clock = systemClock;
  const verification = await openVerification({}, { inQuery: undefined, clock });
  const ledger = await openLedger(join(root, ".dewy/ledger.json"), { logger, clock });
  const releases = await openReleases(root, clock);
  const host = {
    root,
    ledger,
    logger,
    phases: [] as Phase[],
    started: [] as string[],
    startFailure: undefined as Error | undefined,
    commitFailure: undefined as Error | undefined,
    failAt: undefined as Phase | undefined,
    /** Of the putting back: the second switch of a deployment. */
    switchFailure: undefined as Error | undefined,
    tamper: false,
    disk: undefined as DiskRules | undefined,
    releases,
    hooks: [] as string[],
    hookFailure: undefined as "before" | "after" | "rollback" | undefined,
    /** Called in each hook. */
    inHook: (_name: string) => {},
    events: [] as AgentEvent[],
    state: () => ledger.state,
    serves: () => readFile(join(root, "current/VERSION"), "utf8"),
    async deploy(tag: string, call: { signal: AbortSignal }) {
      const choice = await choiceOf(tag);
      const { identity, name: artifact } = choice.artifact;
      await ledger.update((state) => beginAttempt(state, { tag, identity, artifact }, clock.now()));
      const registry = registryOf(choice);
      const rules = { platform: thisHost().platform, preRelease: false };
      const admission = openAdmission({ ...parts, verification, registry, rules });
      await deploy(choice, { ...parts, registry, admission, disk: host.disk }, call);
    },
  };
  const parts = {
    ledger,
    clock,
    logger,
    releases: {
      ...releases,
      async switchTo(directory: string) {
        const isPutBack = directory === ledger.state.active?.directory;
        if (isPutBack && host.switchFailure) throw host.switchFailure;
        await releases.switchTo(directory);
      },
    },
    store: await openArtifactStore(join(root, ".dewy/artifacts"), logger),
    async start() {
      if (host.startFailure) throw host.startFailure;
      const tag = await host.serves();
      const note = (what: string) => host.started.push(`${tag} ${what}`);
      note("started");
      return {
        pid: 1,
        generation: 1,
        commit: () => {
          if (host.commitFailure) throw host.commitFailure;
          note("committed");
        },
        undo: async () => void note("undone"),
      };
    },
    shared: undefined,
    alone: openTurns(),
    observe: (event: AgentEvent) => void host.events.push(event),
    hooks: {
      "before-deploy": async ({ tag, previousTag }: HookFacts) => {
        host.hooks.push(`before ${tag}, after ${previousTag}`);
        if (host.hookFailure === "before") throw new Error("before-hook failed");
      },
      rollback: async ({ tag, previousTag }: HookFacts, { signal }: Call) => {
        host.inHook("rollback");
        signal.throwIfAborted();
        const serving = await host.serves().catch(() => "nothing");
        host.hooks.push(`rollback of ${tag} to ${previousTag}, serving ${serving}`);
        if (host.hookFailure === "rollback") throw new Error("rollback-hook failed");
      },
      "after-deploy": async ({ tag }: HookFacts, { signal }: Call) => {
        host.inHook("after-deploy");
        signal.throwIfAborted();
        host.hooks.push(`after ${tag}, serving ${await host.serves()}`);
        if (host.hookFailure === "after") throw new Error("after-hook failed");
      },
    },
    entered: (phase: Phase) => {
      host.phases.push(phase);
      if (phase === host.failAt) throw new Error(`at ${phase}`);
    },
  };
  return host;

  function registryOf({ tag }: Choice) {
    return {
      name: "fake",
      tags: async () => [tag],
      release: async () => undefined,
      open: async () => ({ bytes: streamOf(await archiveOf(host.tamper ? "evil" : tag)), from: 0 }),
      close: async () => {},
    };
  }
}

async function archiveOf(version: string): Promise<Buffer> {
  const mtime = new Date("2026-01-01T00:00:00Z");
  const header = { name: "VERSION", size: version.length, type: "file" as const, mtime };
  return gzipSync(await packTar([{ header, body: version }]), { level: 1 });
}

async function choiceOf(tag: string): Promise<Choice> {
  const bytes = await archiveOf(tag);
  const digest = digestOf(bytes);
  const artifact = {
    name: "app.tar.gz",
    platform: undefined,
    sizeBytes: undefined,
    digest,
    identity: digest,
    url: `fake://app/${tag}`,
  };
  const release = { tag, artifacts: [artifact], publishedAt: undefined };
  const version = { tag } as Choice["version"];
  return { tag, version, release, artifact, passedOver: [] };
}
