import type { Call } from "../../base/call.ts";
import { type Checksum, checksumsIn, isChecksumFile, ownChecksumNames } from "./checksum-file.ts";
import { hexOfFile } from "./file-hash.ts";
import type { Finding, Subject, Verify } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

/** A file of the release that says something about the artifact. */
export interface ChecksumSource {
  name: string;
  bytes: Buffer;
  checksums: readonly Checksum[];
}

/** Every checksum the registry and the release offer has to be right. */
export const verifyChecksum: Verify = async (subject, call) => {
  const { artifact, registry } = subject;
  // Bytes of another digest than the announced one never came so far: `deploy/fetch.ts`.
  const announced = artifact.digest === undefined ? [] : [`the digest that ${registry} announces`];
  const sources = await checksumSources(subject, call);
  for (const source of sources) await compare(source, subject, call);
  const checked = [...sources.map(({ name }) => name), ...announced];
  return checked.length === 0 ? undefined : ({ checked: checked.join(", ") } satisfies Finding);
};

/** The checksum files of the release that name the artifact; its own one first. */
export async function checksumSources(
  { artifact, siblings }: Subject,
  call: Call,
): Promise<ChecksumSource[]> {
  const own = ownChecksumNames(artifact.name);
  const of = (isOwn: boolean) =>
    siblings.names.filter((name) => {
      if (own.includes(name)) return isOwn;
      return !isOwn && isShared(name, siblings.names);
    });
  const found: ChecksumSource[] = [];
  for (const isOwn of [true, false]) {
    for (const name of of(isOwn)) {
      const bytes = await siblings.read(name, call);
      if (bytes === undefined) continue;
      const checksums = checksumsIn(bytes.toString(), artifact.name, { isOwn });
      if (checksums.length > 0) found.push({ name, bytes, checksums });
      else if (isOwn) throw unreadable(name, artifact.name);
    }
  }
  return found;
}

/** The checksum of another file alone is none of ours. */
function isShared(name: string, all: readonly string[]): boolean {
  if (!isChecksumFile(name)) return false;
  return !all.some((other) => ownChecksumNames(other).includes(name));
}

/** @throws {VerifyError} `MISMATCH` */
export async function compare(
  { name: source, checksums }: ChecksumSource,
  { artifact, file }: Subject,
  call: Call,
): Promise<void> {
  for (const { algorithm, hex } of checksums) {
    const found = await hexOfFile(file, algorithm, call);
    if (found === hex) continue;
    const expected = `${source} expects ${algorithm}:${hex}, received ${algorithm}:${found}`;
    throw new VerifyError("MISMATCH", `${artifact.name}: ${expected}`, {
      hint: "find out who changed the artifact or its checksum; release it again under a new tag if it was you",
    });
  }
}

function unreadable(name: string, artifact: string): VerifyError {
  const message = `${name} holds no SHA-256 or SHA-512 of ${artifact}`;
  return new VerifyError("UNUSABLE", message, {
    hint: `write it as sha256sum ${artifact} does, or leave it out`,
  });
}
