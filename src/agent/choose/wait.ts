import type { LedgerState } from "../ledger/ledger.ts";
import type { Choice } from "./choose.ts";
import { isOpen, nextOpening, type Window } from "./window.ts";

export interface WaitRules {
  windows: readonly Window[];
  minimumAgeMs: number;
}

/** Why a release that was chosen is not installed yet, and until when. */
export interface Wait {
  tag: string;
  reason: string;
  until: string | undefined;
}

type Waiting = Pick<Choice, "tag" | "version"> & {
  release: Pick<Choice["release"], "publishedAt">;
  artifact: Pick<Choice["artifact"], "identity">;
};

/**
 * Whether `choice` is to wait for a window or to grow older. A host that runs nothing yet waits for
 * nothing, and a release whose build metadata says `security` neither.
 */
export function waitFor(
  { tag, version, release, artifact }: Waiting,
  { windows, minimumAgeMs }: WaitRules,
  { active, seen }: Readonly<LedgerState>,
  now: Date,
): Wait | undefined {
  if (!active || version.slot?.split(".").includes("security")) return undefined;
  if (minimumAgeMs > 0) {
    const known = seen?.tag === tag && seen.identity === artifact.identity ? seen.at : now;
    const since = release.publishedAt ?? new Date(known);
    const until = new Date(since.getTime() + minimumAgeMs);
    const what = release.publishedAt ? "published" : "seen first";
    const reason = `it was ${what} at ${since.toISOString()}, and has to be older`;
    if (now < until) return { tag, reason, until: until.toISOString() };
  }
  if (windows.length === 0 || windows.some((window) => isOpen(window, now))) return undefined;
  const texts = windows.map(({ text }) => text).join(", ");
  return {
    tag,
    reason: `it may be installed only in ${texts}`,
    until: nextOpening(windows, now)?.toISOString(),
  };
}
