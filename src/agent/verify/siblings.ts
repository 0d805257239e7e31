import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Artifact, Release, ReleaseRegistry } from "../release.ts";
import type { Siblings } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

/** Checksum files of a thousand lines and bundles with their certificates are smaller. */
const maximumBytes = 1024 * 1024;

/** The files beside `artifact` in `release`; each is fetched once, when it is wanted first. */
export function siblingsOf(
  registry: Pick<ReleaseRegistry, "name" | "open" | "attachments">,
  release: Release,
  artifact: Artifact,
): Siblings {
  const others = release.artifacts.filter(({ name }) => name !== artifact.name);
  const known = new Map<string, Buffer>();

  return {
    names: [...new Set(others.map(({ name }) => name))],

    async read(name, call) {
      const found = known.get(name);
      if (found) return found;
      const sibling = siblingFor(artifact, others, name);
      if (sibling === undefined) return undefined;
      const bytes = await readSmall(registry, sibling, call);
      known.set(name, bytes);
      return bytes;
    },

    async *attachments(call) {
      yield* registry.attachments?.({ tag: release.tag, artifact }, call) ?? [];
    },
  };
}

/** In an image index the same name may stand under several platforms: then the artifact's own. */
function siblingFor({ platform }: Artifact, others: readonly Artifact[], wanted: string) {
  const named = others.filter(({ name }) => name === wanted);
  const own = JSON.stringify(platform);
  return named.find((one) => JSON.stringify(one.platform) === own) ?? named[0];
}

async function readSmall(
  registry: Pick<ReleaseRegistry, "name" | "open">,
  sibling: Artifact,
  call: Call,
): Promise<Buffer> {
  const { bytes } = await registry.open(sibling, { signal: call.signal, from: 0 });
  try {
    return await collect(bytes, maximumBytes);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    const message = `${sibling.name} has more than ${maximumBytes} bytes, and is no checksum or signature`;
    throw new VerifyError("UNUSABLE", message, { cause: error });
  }
}
