import type { Call } from "../../base/call.ts";
import { DewyError, type ErrorDetails } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import type { Challenge } from "../../oci/challenge.ts";

/** One thing that a request wants to do, in the words of Distribution's token specification. */
export interface Wish {
  type: "repository" | "registry";
  name: string;
  /** `*` for what cannot be told apart, such as listing the catalog. */
  action: "pull" | "push" | "delete" | "*";
}

/** What a client shows; `other` is anything in a scheme nobody here knows. */
export type Credentials =
  | { scheme: "basic"; user: string; password: Secret }
  | { scheme: "bearer"; token: Secret }
  | { scheme: "other" };

/** Who comes, with what, and what for. */
export interface Visit {
  credentials: Credentials | undefined;
  wishes: readonly Wish[];
  /** The network address of the client, or nothing on a unix socket. */
  address: string;
  /** What this client calls us, such as `https://registry.example.com`, where it says so. */
  origin(): string | undefined;
  /** A path of ours as a URL that this client reaches, where it says what it calls us. */
  locate(path: string): string | undefined;
}

/** What a visitor may do. */
export interface Grant {
  /** `undefined` for somebody who did not log in. */
  user: string | undefined;
  allows(wish: Wish): boolean;
  /** Whether there is no repository that it would not let be read. */
  reach: "everything" | "some";
  /** Whether the catalog shows the repository; only asked where the catalog may be listed. */
  lists(repository: string): boolean;
}

/** Tells who a visitor is by what it shows. */
export interface Authenticator {
  /**
   * @throws {AuthError} `CREDENTIALS_REFUSED` when they do not do, whatever the wishes;
   * `TOO_MANY_FAILURES` when this visitor is to wait; `UNAVAILABLE` when it cannot be told.
   */
  identify(credentials: Credentials, visit: Visit, call: Call): Promise<Grant>;
  /** How to get in: what `WWW-Authenticate` is to say. */
  challenge(visit: Visit, reason: ChallengeReason): Challenge;
  close(): Promise<void>;
}

export type ChallengeReason =
  | "CREDENTIALS_NEEDED"
  | "CREDENTIALS_REFUSED"
  | "CREDENTIALS_INSUFFICIENT";

/** A visitor that is not let in, or not now. Its message never tells what is behind the door. */
export class AuthError extends DewyError<
  ChallengeReason | "DENIED" | "TOO_MANY_FAILURES" | "UNAVAILABLE"
> {
  readonly retryAfterMs: number | undefined;

  constructor(code: AuthError["code"], message: string, details: AuthErrorDetails = {}) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

export type AuthErrorDetails = ErrorDetails & {
  /** How long the visitor is to stay away. */
  retryAfterMs?: number;
};

/** What somebody gets who may do all there is. */
export function unlimitedGrant(user: string | undefined): Grant {
  return { user, allows: () => true, reach: "everything", lists: () => true };
}
