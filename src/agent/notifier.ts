import type { Call } from "../base/call.ts";
import { DewyError } from "../base/errors.ts";
import type { AppIdentity } from "./event.ts";

/** Something people are told. */
export interface Notice {
  /** A `recovered` one ends what the `error` ones before it began. */
  kind: "normal" | "important" | "hook" | "error" | "recovered";
  /**
   * One sentence, or two with an empty line between, at most some thousand characters. Code stands in
   * backticks and what is stressed in asterisks. Holds no secret and no command line.
   */
  text: string;
  at: Date;
  identity: AppIdentity;
  /** What a hook came to; only with the kind `hook`. */
  hook?: HookOutcome;
}

export interface HookOutcome {
  /** Such as `Before Deploy`. */
  title: string;
  succeeded: boolean;
  durationMs: number;
}

/** Tells people in one place: a channel, a list of mail addresses. */
export interface Notifier {
  /** For logs and errors: where the notices go, without secrets. */
  readonly name: string;
  /**
   * Resolves when the notice was accepted. Who calls decides what is tried again.
   *
   * @throws {NotifierError}, or the reason of the signal
   */
  send(notice: Notice, call: Call): Promise<void>;
  close(): Promise<void>;
}

/**
 * `UNAVAILABLE` and `RATE_LIMITED` pass, and the same notice may be sent again; the others last until
 * somebody does something about it. `retryAfterMs` is the time the other side asked us to stay away.
 */
export class NotifierError extends DewyError<
  "UNAVAILABLE" | "RATE_LIMITED" | "UNAUTHORIZED" | "REFUSED"
> {
  retryAfterMs: number | undefined;
}
