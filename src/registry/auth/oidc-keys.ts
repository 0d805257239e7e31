import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import { type Call, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import { AuthError } from "./authenticator.ts";
import { isTrustedUrl } from "./oidc-options.ts";
import { KeySet } from "./oidc-token.ts";

/** The keys of an issuer. Both throw {AuthError} `UNAVAILABLE`. */
export interface IssuerKeys {
  /** As they were lately; while the issuer is down, as they were when it was up, for a day. */
  current(call: Call): Promise<KeySet>;
  /** For a token of a key that is not in `known`. */
  newerThan(known: KeySet, call: Call): Promise<KeySet>;
}

const freshMs = 3_600_000;
const usableMs = 24 * freshMs;
/** Whoever makes up names of keys must not make us ask each time. */
const askAgainMs = 30_000;
const maximumBytes = 1024 * 1024;

const Discovery = v.object({ issuer: v.string(), jwks_uri: v.string() });

export function issuerKeysOf(
  { issuer, timeout }: { issuer: string; timeout: number },
  { http, clock, logger }: { http: HttpClient; clock: Clock; logger: Logger },
): IssuerKeys {
  let known: { keys: KeySet; atMs: number } | undefined;
  let failure: { error: AuthError; atMs: number } | undefined;
  let underWay: Promise<void> | undefined;

  return {
    async current(call) {
      if (known && ageOf(known) < freshMs) return known.keys;
      await refreshed(call);
      if (known && ageOf(known) < usableMs) return known.keys;
      throw failure?.error ?? unavailable(undefined);
    },

    async newerThan(keys, call) {
      if (known && (known.keys !== keys || ageOf(known) < askAgainMs)) return known.keys;
      await refreshed(call);
      if (failure) throw failure.error;
      return known?.keys ?? keys;
    },
  };

  function ageOf({ atMs }: { atMs: number }): number {
    return Math.abs(clock.now().getTime() - atMs);
  }

  /** For all who wait; not again a moment after it failed. */
  async function refreshed(call: Call): Promise<void> {
    if (failure && ageOf(failure) < askAgainMs && known) return;
    underWay ??= refresh(call).finally(() => {
      underWay = undefined;
    });
    await underWay;
  }

  async function refresh(call: Call): Promise<void> {
    try {
      const keys = await withTimeout(`asking ${issuer}`, timeout, call, fetchKeys);
      known = { keys, atMs: clock.now().getTime() };
      failure = undefined;
    } catch (error) {
      failure = { error: unavailable(error), atMs: clock.now().getTime() };
      if (!known) return;
      logger.warn("an issuer of tokens does not answer", { issuer, reason: messageOf(error) });
    }
  }

  async function fetchKeys(call: Call): Promise<KeySet> {
    const place = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const found = await fetchJson(place, Discovery, call);
    if (found.issuer !== issuer) throw new Error(`it calls itself ${found.issuer}`);
    if (!isTrustedUrl(found.jwks_uri)) throw new Error("its jwks_uri is not https");
    return await fetchJson(found.jwks_uri, KeySet, call);
  }

  async function fetchJson<const S extends v.GenericSchema>(url: string, schema: S, call: Call) {
    const answer = await http.request({ url, headers: { accept: "application/json" } }, call);
    const bytes = await collect(answer.body, maximumBytes);
    if (answer.status !== 200) throw new Error(`${url} answers ${answer.status}`);
    const result = v.safeParse(schema, parsedOr(bytes.toString()));
    if (!result.success) throw new Error(`${url} has something else in it than it should`);
    return result.output as v.InferOutput<S>;
  }

  function unavailable(cause: unknown): AuthError {
    const message = `the keys of ${issuer} cannot be had: ${messageOf(cause)}`;
    const hint = "check auth.oidc, and that the registry reaches the issuer";
    return new AuthError("UNAVAILABLE", message, { cause, hint });
  }
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
