import * as v from "valibot";
import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Attachment } from "../release.ts";
import { askGithub, type GithubParts } from "./github-api.ts";
import { failure } from "./registry-failure.ts";

/** GitHub's REST API, "List attestations". */
const AttestationsAnswer = v.object({
  attestations: v.array(
    v.object({ bundle: v.nullish(v.looseObject({ mediaType: v.optional(v.string()) })) }),
  ),
});

/** Each may bring along the list of everything that went into the artifact. */
const maximumBytes = 32 * 1024 ** 2;
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** What workflows of the repository, which is at `url` of the API, have attested of a file. */
export async function* attestationsOf(
  parts: GithubParts,
  url: string,
  file: Digest,
  call: Call,
): AsyncGenerator<Attachment> {
  const request = {
    url: new URL(`${url}/attestations/${file}?per_page=100`),
    accept: "application/vnd.github+json",
    statuses: [200, 404],
  };
  const answer = await askGithub(parts, request, call);
  if (answer.status === 404) return answer.discard();
  for (const { bundle } of attestationsIn(await whole(answer.body, parts.name), parts.name)) {
    if (!bundle) continue;
    const { mediaType = bundleType } = bundle;
    const bytes = Buffer.from(JSON.stringify(bundle));
    yield { subject: file, artifactType: bundleType, mediaType, annotations: {}, bytes };
  }
}

async function whole(body: AsyncIterable<Uint8Array>, name: string): Promise<Buffer> {
  try {
    return await collect(body, maximumBytes);
  } catch (error) {
    if (error instanceof BytesError) throw noList(name, error);
    throw error;
  }
}

function attestationsIn(bytes: Buffer, name: string) {
  try {
    return v.parse(AttestationsAnswer, JSON.parse(bytes.toString())).attestations;
  } catch (error) {
    if (error instanceof SyntaxError || v.isValiError(error)) throw noList(name, error);
    throw error;
  }
}

function noList(name: string, cause: unknown) {
  return failure("INVALID_ANSWER", `${name}: the answer is no list of attestations`, {
    cause,
    hint: "check GITHUB_API_URL, and what a proxy before it answers",
  });
}
