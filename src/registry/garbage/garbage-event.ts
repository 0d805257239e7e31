import type { Digest } from "../../oci/digest.ts";

/** What may be collected. A layer link makes a blob visible in a repository. */
export type GarbageKind = "manifest" | "layer link" | "blob";

export interface GarbageItem {
  kind: GarbageKind;
  /** None for a blob, which is in no repository any more. */
  repository: string | undefined;
  digest: Digest;
  /** A sentence's rest: why it goes, or stays. */
  reason: string;
}

/** What a collection tells whoever watches it, while it goes on. */
export type GarbageEvent =
  | { is: "begun"; continued: boolean; begun: Date }
  | { is: "repository"; repository: string }
  | { is: "marked"; repository: string; digest: Digest }
  | { is: "eligible"; item: GarbageItem }
  /** Nothing names it, but it was used within the grace period. */
  | { is: "kept"; item: GarbageItem }
  | { is: "restored"; path: string }
  /** The disk is full: what is taken is not kept, and the trash is emptied. */
  | { is: "short of room" }
  /** Nobody knows what it names, so what the repository has stays. */
  | { is: "problem"; repository: string; digest: Digest; reason: string }
  /** Its link names nothing, so what it has ever meant stays. */
  | { is: "damaged tag"; repository: string; tag: string };

/** What a collection came to. */
export interface GarbageTotals {
  /** Distinct for each repository: manifests and the blobs they are made of. */
  marked: number;
  manifests: number;
  layerLinks: number;
  blobs: number;
  /** Of the blobs. */
  bytes: number;
  kept: number;
  restored: number;
  problems: number;
}

export const nothingYet: GarbageTotals = {
  marked: 0,
  manifests: 0,
  layerLinks: 0,
  blobs: 0,
  bytes: 0,
  kept: 0,
  restored: 0,
  problems: 0,
};

/** Adds `event` to `totals`, but for the bytes. */
export function countGarbage(event: GarbageEvent, totals: GarbageTotals): void {
  if (event.is === "marked") totals.marked++;
  if (event.is === "kept") totals.kept++;
  if (event.is === "restored") totals.restored++;
  if (event.is === "problem" || event.is === "damaged tag") totals.problems++;
  if (event.is !== "eligible") return;
  if (event.item.kind === "manifest") totals.manifests++;
  if (event.item.kind === "layer link") totals.layerLinks++;
  if (event.item.kind === "blob") totals.blobs++;
}
