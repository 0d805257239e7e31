import { type Digest, parseDigest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { maximumManifestBytes } from "../images/manifests.ts";
import type { Referrer } from "../images/referrers.ts";
import type { Answer, ApiParts, Headers, Inquiry, Methods } from "./exchange.ts";

/** `/v2/<name>/referrers/<digest>` (end-12). */
export function referrersMethods(
  { repository, digest: text }: { repository: string; digest: string },
  { query, call }: Inquiry,
  { store }: ApiParts,
): Methods {
  const subject = parseDigest(text);
  const filter = query.get("artifactType") ?? undefined;
  return {
    async GET() {
      const last = query.get("last") ?? undefined;
      const manifests: Referrer[] = [];
      let size = 0;
      for await (const referrer of store.referrers.list(repository, subject, { ...call, last })) {
        if (filter !== undefined && referrer.artifactType !== filter) continue;
        size += JSON.stringify(referrer).length;
        // The whole answer is a manifest to its reader, who takes no more than that.
        if (manifests.length > 0 && size > maximumManifestBytes / 2) {
          return answerWith(manifests, linkTo(manifests.at(-1)?.digest));
        }
        manifests.push(referrer);
      }
      return answerWith(manifests, {});
    },
  };

  function answerWith(manifests: readonly Referrer[], link: Headers): Answer {
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    const headers: Headers = {
      "content-type": mediaTypes.ociIndex,
      ...(filter === undefined ? {} : { "oci-filters-applied": "artifactType" }),
      ...link,
    };
    return { status: 200, headers, body: JSON.stringify(index) };
  }

  function linkTo(last: Digest | undefined): Headers {
    const next = new URLSearchParams({
      ...(filter === undefined ? {} : { artifactType: filter }),
      ...(last === undefined ? {} : { last }),
    });
    return { link: `</v2/${repository}/referrers/${subject}?${next}>; rel="next"` };
  }
}
