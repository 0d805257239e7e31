import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { type Call, isEchoOf, TimeoutError, withTimeout } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Cache, maximumEntryBytes } from "../cache.ts";
import { ReleaseRegistryError } from "../release.ts";
import { packEntry, type SharedEntry, type SharedFailure, unpackEntry } from "./shared-entry.ts";

const pauses = { firstMs: 5_000, maximumMs: 300_000 };
const longestAskedMs = 3_600_000;
/** How long others wait for who is asking before they make do with what is there. */
const patienceMs = 3_000;
const longestAskMs = 45_000;
const handBackMs = 2_000;
const aloneMs = 600_000;

export interface AskParts {
  cache: Cache;
  /** Names this process among all that share the cache. */
  self: string;
  registryName: string;
  ttlMs: number;
  logger: Logger;
}

/** A question that the fleet asks once in `ttlMs`. */
export interface Question<Value> {
  key: string;
  answer: v.GenericSchema<unknown, Value>;
  /** How old an answer may be, where that is not `ttlMs`. */
  freshMs?: number;
  /** Asks the registry. */
  ask(call: Call): Promise<Value>;
}

export interface SharedAnswer<Value> {
  value: Value;
  /** Whether it was this process that asked the registry. */
  isOwn: boolean;
  /** Why it is older than it should be; `undefined` when it is not. */
  failure: SharedFailure | undefined;
}

interface Seen<Value> {
  entry: SharedEntry | undefined;
  version: string;
  value: Value | undefined;
  hasAnswer: boolean;
  answerAgeMs: number;
  ageMs: number;
}

/** One caller in the fleet at a time, and in a window: the rest is served what that one was told. */
export async function askOnce<Value>(
  question: Question<Value>,
  parts: AskParts,
  call: Call,
): Promise<SharedAnswer<Value>> {
  const startedMs = performance.now();
  const own = `${parts.self}:${randomUUID()}`;
  for (;;) {
    const seen = await look(question, parts, call);
    // Written after all, where the store seemed to fail.
    if (seen.entry?.claim === own) return askUpstream(question, seen, parts, call);
    const answer = served(seen, question.freshMs ?? parts.ttlMs);
    if (answer) return answer;
    if (isAlone(seen, parts)) return ownAnswer(await question.ask(call));
    const holder = claimHolder(seen, parts);
    const waitedMs = performance.now() - startedMs;
    if (holder && waitedMs > patienceMs && seen.hasAnswer) return stale(seen, undefined);
    if (!holder) {
      const version = await claim(question, seen, own, parts.cache, call);
      if (version !== undefined) return askUpstream(question, { ...seen, version }, parts, call);
    }
    await sleep(150 + Math.random() * 200, undefined, { signal: call.signal });
  }
}

async function look<Value>(
  { key, answer }: Question<Value>,
  { cache, logger }: AskParts,
  call: Call,
): Promise<Seen<Value>> {
  const found = await cache.read(key, call);
  const nothing = { value: undefined, hasAnswer: false, answerAgeMs: Infinity };
  if (!found) return { ...nothing, entry: undefined, version: "absent", ageMs: Infinity };
  const { version, ageMs } = found;
  try {
    const entry = await unpackEntry(found.value);
    if (!entry.answer) return { ...nothing, entry, version, ageMs };
    const value = v.parse(answer, entry.answer.value);
    const answerAgeMs = entry.answer.ageMs + ageMs;
    return { entry, version, value, hasAnswer: true, answerAgeMs, ageMs };
  } catch (error) {
    // Claimed under its version and written anew: nobody trips over it twice.
    const fields = { key, cache: cache.name, reason: messageOf(error) };
    logger.warn("A shared entry cannot be read and is replaced", fields);
    return { ...nothing, entry: undefined, version, ageMs };
  }
}

const ownAnswer = <Value>(value: Value) => ({ value, isOwn: true, failure: undefined });

const isAlone = <Value>({ entry, ageMs }: Seen<Value>, { ttlMs }: AskParts): boolean =>
  entry?.alone === true && ageMs < Math.max(ttlMs, aloneMs);

/** What is there, when it is fresh or the registry is to be left alone. @throws what it failed with */
function served<Value>(seen: Seen<Value>, freshMs: number): SharedAnswer<Value> | undefined {
  const { entry } = seen;
  const failure = entry?.failure;
  if (seen.hasAnswer && seen.answerAgeMs < freshMs) return stale(seen, undefined);
  const leftMs = Math.min(failure?.pauseMs ?? 0, longestAskedMs) - seen.ageMs;
  if (!failure || entry.claim !== undefined || leftMs <= 0) return undefined;
  if (seen.hasAnswer) return stale(seen, failure);
  throw failed(failure, leftMs);
}

function stale<Value>(
  { value, entry }: Seen<Value>,
  failure: SharedFailure | undefined,
): SharedAnswer<Value> {
  return { value: value as Value, isOwn: false, failure: failure ?? entry?.failure };
}

function claimHolder<Value>(
  { entry, ageMs }: Seen<Value>,
  { ttlMs }: AskParts,
): string | undefined {
  return ageMs < leaseMs(ttlMs) ? entry?.claim : undefined;
}

const leaseMs = (ttlMs: number): number => Math.min(300_000, Math.max(30_000, 2 * ttlMs));

async function claim<Value>(
  { key }: Question<Value>,
  seen: Seen<Value>,
  own: string,
  cache: Cache,
  call: Call,
): Promise<string | undefined> {
  const entry = { ...carried(seen), claim: own };
  return await cache.write(key, await packEntry(entry), { ifVersion: seen.version }, call);
}

/** What stays true of an entry when another is written in its place. */
function carried<Value>({ entry, hasAnswer, answerAgeMs }: Seen<Value>): SharedEntry {
  const { answer, failure } = entry ?? {};
  return {
    version: 1,
    failures: entry?.failures ?? 0,
    ...(failure && { failure }),
    ...(hasAnswer && { answer: { value: answer?.value, ageMs: answerAgeMs } }),
  };
}

async function askUpstream<Value>(
  question: Question<Value>,
  seen: Seen<Value>,
  parts: AskParts,
  call: Call,
): Promise<SharedAnswer<Value>> {
  const { registryName, ttlMs } = parts;
  const startedMs = performance.now();
  const put = (entry: SharedEntry) => hand(question.key, entry, seen.version, parts);
  try {
    // Before the lease is over: nobody else asks meanwhile.
    const deadlineMs = Math.min(longestAskMs, leaseMs(ttlMs) - 5_000);
    const value = await withTimeout(`asking ${registryName}`, deadlineMs, call, question.ask);
    await put(answered(value, question, parts));
    return ownAnswer(value);
  } catch (error) {
    const before = { ...seen, answerAgeMs: seen.answerAgeMs + performance.now() - startedMs };
    const failures = before.entry?.failures ?? 0;
    const failure = failureFrom(error, registryName, failures);
    const { failure: _old, ...kept } = carried(before);
    if (isEchoOf(call.signal, error) || !failure) {
      await put(kept);
      throw error;
    }
    await put({ ...kept, failures: failures + 1, failure });
    if (before.hasAnswer) return stale(before, failure);
    throw error instanceof ReleaseRegistryError ? error : failed(failure, failure.pauseMs);
  }
}

/** What others would not believe is not shared, and each of them asks alone. */
function answered<Value>(
  value: Value,
  { key, answer }: Question<Value>,
  { logger, registryName }: AskParts,
): SharedEntry {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  if (v.is(answer, plain)) return { version: 1, failures: 0, answer: { value: plain, ageMs: 0 } };
  logger.warn("An answer is not of the form that can be shared", { registry: registryName, key });
  return { version: 1, failures: 0, alone: true };
}

/**
 * What the fleet is told. `undefined` for what is this host's own: a bug, or credentials that are
 * wrong, which are none of the others' business.
 */
function failureFrom(error: unknown, name: string, before: number): SharedFailure | undefined {
  const isTimeout = error instanceof TimeoutError;
  if (!isTimeout && !(error instanceof ReleaseRegistryError)) return undefined;
  if (error.code === "UNAUTHORIZED") return undefined;
  const askedMs = isTimeout ? 0 : (error.retryAfterMs ?? 0);
  const doubledMs = Math.min(pauses.maximumMs, pauses.firstMs * 2 ** Math.min(before, 20));
  const pauseMs = Math.max(doubledMs, Math.min(askedMs, longestAskedMs));
  const message = isTimeout ? `${name}: ${error.message}` : error.message;
  const { hint } = error;
  return {
    code: error.code === "TIMEOUT" ? "UNAVAILABLE" : error.code,
    message: message.slice(0, 2_000),
    ...(hint !== undefined && { hint: hint.slice(0, 2_000) }),
    pauseMs,
  };
}

function failed({ code, message, hint }: SharedFailure, retryAfterMs: number) {
  const error = new ReleaseRegistryError(code, message, { hint });
  error.retryAfterMs = retryAfterMs;
  return error;
}

/** Not by the call: a claim is handed back when the agent is told to end, too. */
async function hand(
  key: string,
  entry: SharedEntry,
  ifVersion: string,
  { cache, logger }: AskParts,
): Promise<void> {
  const call = { signal: AbortSignal.timeout(handBackMs) };
  try {
    let packed = await packEntry(entry);
    if (packed.length > maximumEntryBytes) {
      logger.warn("An answer is too long to be shared", { key, sizeBytes: packed.length });
      packed = await packEntry({ version: 1, failures: 0, alone: true });
    }
    await cache.write(key, packed, { ifVersion }, call);
  } catch (error) {
    const reason = messageOf(error);
    logger.debug("An answer could not be shared", { key, cache: cache.name, reason });
  }
}
