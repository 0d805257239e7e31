import { createHash } from "node:crypto";
import type { ContainerOptions } from "./container-options.ts";
import type { ReleaseImage } from "./release-image.ts";
import type { Container } from "./runtime.ts";

/** The labels by which dewy knows its own; the first five are the original's. */
export const labelKeys = {
  managed: "dewy.managed",
  app: "dewy.app",
  version: "dewy.version",
  replica: "dewy.replica",
  deployedAt: "dewy.deployed_at",
  directory: "dewy.directory",
  digest: "dewy.digest",
  config: "dewy.config",
} as const;

export interface App {
  name: string;
  /** Absolute: two agents on a host may call their apps alike. */
  directory: string;
}

/** What the app's containers carry, all of them, whatever it was called when they were started. */
export function labelsOf({ directory }: Pick<App, "directory">): Record<string, string> {
  return { [labelKeys.managed]: "true", [labelKeys.directory]: directory };
}

/** What one replica of a release carries. */
export function replicaLabels(
  app: App,
  image: ReleaseImage,
  config: string,
  { index, at }: { index: number; at: Date },
): Record<string, string> {
  return {
    ...labelsOf(app),
    [labelKeys.app]: app.name,
    [labelKeys.version]: image.tag,
    [labelKeys.digest]: image.digest,
    [labelKeys.config]: config,
    [labelKeys.replica]: String(index),
    [labelKeys.deployedAt]: at.toISOString(),
  };
}

/** Changes whenever a container that is to be started would differ from those that run. */
export function configOf(
  { command, runOptions, network, mappings }: ContainerOptions,
  published: boolean,
): string {
  const ports = mappings.map(({ containerPort }) => containerPort ?? 0);
  const content = JSON.stringify([command, runOptions, network ?? "", ports, published]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/** Whether it is a replica of this release, started for `app` with these options. */
export function isReplicaOf(
  { labels }: Container,
  app: App,
  image: ReleaseImage,
  config: string,
): boolean {
  return (
    labels[labelKeys.app] === app.name &&
    labels[labelKeys.version] === image.tag &&
    labels[labelKeys.digest] === image.digest &&
    labels[labelKeys.config] === config
  );
}

export function indexOf({ labels }: Container): number {
  const index = Number(labels[labelKeys.replica]);
  return Number.isInteger(index) ? index : -1;
}

export function hasLabels(
  { labels }: Container,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
