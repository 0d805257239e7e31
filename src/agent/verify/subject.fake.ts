import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { streamOf } from "../../base/bytes.ts";
import { digestOf } from "../../oci/digest.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { siblingsOf } from "./siblings.ts";
import type { Subject } from "./verifier.ts";

export const artifactName = "app_linux_amd64.tar.gz";
export const artifactContent = "the bytes of a release";

export interface FakeSubject {
  /** Of the artifact, as it came. */
  content?: string | undefined;
  /** The other files of the release, by name. */
  beside?: Readonly<Record<string, string | Buffer>> | undefined;
  /** Whether the registry announces a digest of the artifact. */
  announces?: boolean;
  publishedAt?: Date | undefined;
}

/** A release on its way in: the artifact is on disk, what lies beside it still in the registry. */
export async function openSubject({
  content = artifactContent,
  beside = {},
  announces = false,
  publishedAt = new Date("2026-01-01T00:00:00Z"),
}: FakeSubject = {}): Promise<Subject> {
  const path = join(await mkdtemp(join(tmpdir(), "dewy-verify-")), "partial");
  await writeFile(path, content);
  const digest = digestOf(content);
  const artifact = fakeArtifact(artifactName, announces ? { digest } : {});
  const others = Object.keys(beside).map((name) => fakeArtifact(name));
  const release = { tag: "v1.2.0", publishedAt, artifacts: [artifact, ...others] };
  const registry = {
    name: "fake://app",
    open: async ({ name }: { name: string }) => ({
      bytes: streamOf(Buffer.from(beside[name] ?? "")),
      from: 0,
    }),
  };
  const file = { path, digest, sizeBytes: Buffer.byteLength(content) };
  const siblings = siblingsOf(registry, release, artifact);
  return { registry: registry.name, release, artifact, file, siblings };
}
