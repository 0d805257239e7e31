import type { Call } from "../../base/call.ts";
import { checksumSources, compare } from "./checksum.ts";
import type { Finding, LocalFile, Subject } from "./verifier.ts";

/** What a signature is about: the artifact on disk, or a checksum file that names it. */
export type SignedContent = { name: string } & (
  | { file: LocalFile; bytes?: undefined }
  | { bytes: Buffer; file?: undefined }
);

export interface Signature {
  name: string;
  bytes: Buffer;
}

/** @returns who signed; `undefined` for a file of another kind. @throws {VerifyError} */
export type CheckSignature = (
  content: SignedContent,
  signature: Signature,
  call: Call,
) => Promise<Omit<Finding, "checked"> | undefined>;

/**
 * Looks for a signature beside the artifact (`NAME.minisig`), and else beside a checksum file that
 * names it (`SHA256SUMS.minisig`), whose checksum is then compared. One that is there has to be right.
 */
export async function verifySigned(
  subject: Subject,
  endings: readonly string[],
  check: CheckSignature,
  call: Call,
): Promise<Finding | undefined> {
  const { artifact, file } = subject;
  const own = await checkBeside({ name: artifact.name, file });
  if (own) return own;
  for (const source of await checksumSources(subject, call)) {
    const found = await checkBeside({ name: source.name, bytes: source.bytes });
    if (found === undefined) continue;
    await compare(source, subject, call);
    return found;
  }
  return undefined;

  async function checkBeside(content: SignedContent): Promise<Finding | undefined> {
    for (const ending of endings) {
      const name = `${content.name}${ending}`;
      const bytes = await subject.siblings.read(name, call);
      const found = bytes && (await check(content, { name, bytes }, call));
      if (found) return { ...found, checked: name };
    }
    return undefined;
  }
}
