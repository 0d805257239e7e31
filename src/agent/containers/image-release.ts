import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { CredentialSource } from "../../oci/credentials.ts";

import { isLoopback, parseReference } from "../../oci/reference.ts";
import type { Prepare } from "../deploy/deploy.ts";
import type { Releases } from "../deploy/releases.ts";
import type { Observe } from "../event.ts";
import { type ReleaseImage, writeReleaseImage } from "./release-image.ts";
import type { ContainerRuntime } from "./runtime.ts";

export interface ImageReleaseParts {
  releases: Releases;
  runtime: ContainerRuntime;
  credentials: CredentialSource;
  /** Whether the registry was said to speak plain HTTP. */
  plainHttp: boolean;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

export type Pull = (image: ReleaseImage, call: Call) => Promise<void>;

/** Fetches images by their digests, signed in as the agent is. They throw `ContainerError`. */
export function openPull({ runtime, credentials, plainHttp, logger }: ImageReleaseParts): Pull {
  return async ({ reference, tag }, call) => {
    const { host } = parseReference(reference);
    logger.info("Pulling image", { image: reference, tag });
    const credential = await credentials(host, call);
    const isPlain = plainHttp || isLoopback(host);
    await runtime.pull(reference, { credential, host, plainHttp: isPlain }, call);
  };
}

/**
 * Makes a release's directory for `choice`, once its image is on this host. The artifact of an image
 * is its manifest: what vouches for that vouches for all that it names, so nothing is pulled before.
 */
export function openPrepareImage(parts: ImageReleaseParts): Prepare {
  const { releases, runtime, clock, logger, observe } = parts;
  const pull = openPull(parts);
  return async ({ tag, artifact }, { phases, fetch }, call) => {
    const { name, identity, url } = artifact;
    const { digest, evidence, sizeBytes } = await fetch(call);
    const image = { tag, digest, reference: url.replace(/^img:\/\//, "") };
    if (!image.reference.endsWith(`@${digest}`)) throw new Error(`${url} is not ${digest}`);
    await phases.enter("fetch");
    const isHere = (await runtime.image(image.reference, call)) !== undefined;
    if (!isHere) await pull(image, call);
    logger.info("Download notification", { tag });
    const from = isHere ? "disk" : "registry";
    observe({ type: "fetched", tag, artifact: name, sizeBytes, from });
    const directory = await releases.reserve();
    await phases.enter("unpack", directory);
    await writeReleaseImage(directory, image);
    const since = clock.now().toISOString();
    const known = { tag, identity, digest, artifact: name, directory, since };
    return { ...known, ...(evidence && { evidence }) };
  };
}
