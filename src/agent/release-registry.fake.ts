import { streamOf } from "../base/bytes.ts";
import type { Artifact, Release, ReleaseRegistry } from "./release.ts";

export function fakeArtifact(name: string, change: Partial<Artifact> = {}): Artifact {
  const url = `fake://app/${name}`;
  return {
    name,
    platform: undefined,
    sizeBytes: undefined,
    digest: undefined,
    identity: name,
    url,
    ...change,
  };
}

/** Announces what the test puts into `releases`; every artifact's bytes are its name. */
export class FakeReleaseRegistry implements ReleaseRegistry {
  readonly name = "fake://app";
  releases: Release[] = [];
  /** The tags whose release was asked for. */
  readonly asked: string[] = [];

  publish(tag: string, names: readonly string[], publishedAt?: Date): void {
    this.releases.push({ tag, publishedAt, artifacts: names.map((name) => fakeArtifact(name)) });
  }

  async tags(): Promise<readonly string[]> {
    return this.releases.map(({ tag }) => tag);
  }

  async release(tag: string): Promise<Release | undefined> {
    this.asked.push(tag);
    return this.releases.find((release) => release.tag === tag);
  }

  async open(artifact: Artifact, { from }: { from: number }) {
    return { bytes: streamOf(Buffer.from(artifact.name).subarray(from)), from };
  }

  async close(): Promise<void> {}
}
