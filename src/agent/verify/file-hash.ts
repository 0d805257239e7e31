import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Call } from "../../base/call.ts";
import { algorithmOf, hexOf } from "../../oci/digest.ts";
import type { LocalFile } from "./verifier.ts";

/** The hash of a file in hex; the one that is known already is not made again. */
export async function hexOfFile(
  { path, digest }: LocalFile,
  algorithm: "sha256" | "sha512",
  call: Call,
): Promise<string> {
  if (algorithmOf(digest) === algorithm) return hexOf(digest);
  return (await hashOfFile(path, algorithm, call)).toString("hex");
}

/** By any algorithm that OpenSSL knows. */
export async function hashOfFile(
  path: string,
  algorithm: string,
  { signal }: Call,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk);
  return hash.digest();
}
