import { createHash, randomUUID } from "node:crypto";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Cache, CacheError } from "../cache.ts";
import {
  type Artifact,
  type Release,
  type ReleaseRegistry,
  ReleaseRegistryError,
} from "../release.ts";
import { type AskParts, askOnce, type Question, type SharedAnswer } from "./shared-answer.ts";
import { type SharedFailure, SharedRelease, SharedTags } from "./shared-entry.ts";

const remembered = 64;
/** A cache that fails is not waited for at every poll. */
const pauseMs = 15_000;
/**
 * Who asked for the tags asks for the release, too, whose answer is younger by that much. Another one
 * that did so first, in between, would have to ask for the tags again: its own are older.
 */
const leadingShare = 0.5;
const followingShare = 1.5;

export interface SharedRegistryOptions {
  cache: Cache;
  /** How long an answer holds for all who share it; more than 0. */
  ttlMs: number;
  logger: Logger;
  /** Names this host to the others. */
  host: string;
}

/** Why the last answers were older than they should be. */
export interface Outage {
  code: ReleaseRegistryError["code"];
  message: string;
  /** When this process first noticed. */
  since: Date;
}

/** A release registry that a fleet asks once in a window. */
export interface SharedRegistry extends ReleaseRegistry {
  /** Set while answers are old because the registry fails, though no question has failed. */
  readonly outage: Outage | undefined;
}

/**
 * Shares what `registry` announces with all whose cache is the same: one of them asks in `ttlMs`,
 * and while the registry is down nobody more often than every few minutes.
 *
 * Shared are answers, never what a host runs. Old answers are served while the registry fails, which
 * is logged once and stands in `outage`. Without its cache each host asks for itself, once in
 * `ttlMs`. A cache is trusted as much as the registry: who writes into it says what is deployed; but
 * it cannot make a host send its credentials elsewhere.
 */
export function sharedRegistry(
  registry: ReleaseRegistry,
  options: SharedRegistryOptions,
): SharedRegistry {
  const { cache, ttlMs, logger, host } = options;
  const registryName = registry.name;
  const self = `${host}:${randomUUID()}`;
  const parts: AskParts = { cache, ttlMs, logger, self, registryName };
  const place = hashOf(JSON.stringify([registry.name, registry.scope ?? ""]));
  const own = ownView(registry);
  const local = localAnswers({ ttlMs, logger, cache });
  const troubles = openTroubles(registryName, logger);
  const tagsQuestion: Question<readonly string[]> = {
    key: `tags-${place}`,
    answer: SharedTags,
    ask: own.tags,
  };
  /** Whether it was this process that asked for the tags of this round. */
  let leads = false;

  return {
    name: registry.name,
    ...(registry.scope !== undefined && { scope: registry.scope }),
    get outage() {
      return troubles.outage;
    },

    async tags(call) {
      troubles.beginRound();
      const { value, isOwn } = await shared(tagsQuestion, call);
      leads = isOwn;
      if (!isOwn) own.isBehind();
      return value;
    },

    async release(tag, call) {
      const question = {
        key: `release-${place}-${hashOf(tag)}`,
        answer: SharedRelease,
        freshMs: ttlMs * (leads ? leadingShare : followingShare),
        ask: async (each: Call) => (await own.release(tag, each)) ?? null,
      };
      const { value: release } = await shared<Release | null>(question, call);
      for (const artifact of release?.artifacts ?? []) own.announced(artifact, tag);
      return release ?? undefined;
    },

    open: (artifact, call) => own.open(artifact, call),

    ...(registry.attachments && { attachments: registry.attachments.bind(registry) }),

    ...(registry.report && {
      async report(report, call) {
        await own.know(report, call);
        await registry.report?.(report, call);
      },
    }),

    ...(registry.audits && { audits: registry.audits.bind(registry) }),

    close: () => registry.close(),
  };

  async function shared<Value>(question: Question<Value>, call: Call) {
    const answer = await local(question, call, () => askOnce(question, parts, call));
    troubles.note(answer.failure);
    return answer;
  }
}

/**
 * The registry as this process has seen it. Some of them answer from what they were last told, which
 * may be older than what the others have shared, or nothing at all.
 */
function ownView(registry: ReleaseRegistry) {
  let behind = true;
  const tagOf = new Map<string, string>();
  const seen = new Set<string>();

  return {
    isBehind: () => {
      behind = true;
    },
    tags,
    release,

    announced({ identity }: Artifact, tag: string): void {
      tagOf.delete(identity);
      tagOf.set(identity, tag);
      forgetOldest(tagOf);
    },

    async open(artifact: Artifact, call: Call & { from: number }) {
      try {
        return await registry.open(artifact, call);
      } catch (error) {
        if (!(error instanceof ReleaseRegistryError)) throw error;
        if (error.code !== "INVALID_ANSWER") throw error;
        if (!(await know(artifact, call))) throw error;
        return await registry.open(artifact, call);
      }
    },
    know,
  };

  async function tags(call: Call): Promise<readonly string[]> {
    const found = await registry.tags(call);
    behind = false;
    return found;
  }

  async function release(tag: string, call: Call): Promise<Release | undefined> {
    if (behind) await tags(call);
    const found = await registry.release(tag, call);
    for (const { identity } of found?.artifacts ?? []) {
      seen.add(identity);
      forgetOldest(seen);
    }
    return found;
  }

  /** Asks for what only others have asked for yet. @returns whether it had to */
  async function know({ identity }: { identity: string }, call: Call): Promise<boolean> {
    const tag = tagOf.get(identity);
    if (tag === undefined || seen.has(identity)) return false;
    await tags(call);
    await release(tag, call);
    return true;
  }
}

function forgetOldest(known: Set<string> | Map<string, unknown>): void {
  const [oldest] = known.keys();
  if (oldest !== undefined && known.size > remembered) known.delete(oldest);
}

/** What this process was last told, for when the cache fails; then each asks for itself. */
function localAnswers({ ttlMs, logger, cache }: Pick<AskParts, "ttlMs" | "logger" | "cache">) {
  const last = new Map<string, { value: unknown; atMs: number }>();
  let failing = false;
  let againAtMs = 0;

  return async <Value>(
    { key, ask }: Question<Value>,
    call: Call,
    share: () => Promise<SharedAnswer<Value>>,
  ): Promise<SharedAnswer<Value>> => {
    if (failing && performance.now() < againAtMs) return await alone(key, ask, call);
    try {
      const answer = await share();
      if (failing) logger.info("The cache answers again", { cache: cache.name });
      failing = false;
      keep(key, answer.value);
      return answer;
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      const message = "The cache fails, and this host asks the registry by itself";
      const { hint } = error;
      if (!failing) logger.warn(message, { cache: cache.name, reason: messageOf(error), hint });
      failing = true;
      againAtMs = performance.now() + pauseMs;
    }
    return await alone(key, ask, call);
  };

  async function alone<Value>(key: string, ask: Question<Value>["ask"], call: Call) {
    const known = last.get(key);
    const isFresh = known !== undefined && performance.now() - known.atMs < ttlMs;
    const value = isFresh ? (known.value as Value) : await ask(call);
    if (!isFresh) keep(key, value);
    return { value, isOwn: !isFresh, failure: undefined };
  }

  function keep(key: string, value: unknown): void {
    last.delete(key);
    last.set(key, { value, atMs: performance.now() });
    forgetOldest(last);
  }
}

/** Says once that answers are old, and once that they no longer are. */
function openTroubles(registryName: string, logger: Logger) {
  let outage: Outage | undefined;
  let isOld = false;

  return {
    get outage(): Outage | undefined {
      return outage;
    },

    /** At each poll: what was asked for in the last one was fresh, or it was not. */
    beginRound(): void {
      if (outage && !isOld) {
        const { since } = outage;
        logger.info("The registry answers again", { registry: registryName, since });
        outage = undefined;
      }
      isOld = false;
    },

    note(failure: SharedFailure | undefined): void {
      if (failure === undefined) return;
      isOld = true;
      const { code, message, hint } = failure;
      if (outage === undefined) {
        const fields = { registry: registryName, reason: message, hint };
        logger.warn("The registry fails, and its last answers are served", fields);
      }
      outage = { code, message, since: outage?.since ?? new Date() };
    },
  };
}

const hashOf = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 32);
