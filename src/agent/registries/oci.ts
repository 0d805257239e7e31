import * as v from "valibot";
import { streamOf } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { YesOrNo } from "../../base/schema.ts";
import { type OciClient, openOciClient, type TagList } from "../../oci/client.ts";
import { credentialsFrom } from "../../oci/credentials.ts";
import type { Digest } from "../../oci/digest.ts";
import { isDockerHub } from "../../oci/docker-hub.ts";
import { type ImageIndex, type Manifest, parseManifest } from "../../oci/manifest.ts";
import { isTag, parseReference } from "../../oci/reference.ts";
import { isReferrersTag } from "../../oci/referrers-tag.ts";
import {
  createdIn,
  filesIn,
  type ReleaseFile,
  tagFor,
  versionFor,
} from "../../oci/release-artifact.ts";
import { newestTags } from "../audit/audit-record.ts";
import { recordInRepository, repositoryAudits } from "../audit/oci.ts";
import type { Artifact, AuditRecord, Release, ReleaseRegistry } from "../release.ts";
import { commonQuery, type Location, parseQuery } from "./location.ts";
import { attachmentsIn } from "./oci-attachments.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure, translated, translatedEach } from "./registry-failure.ts";

/** A tag that moves between two releases, and the newest few that `choose` looks back at. */
const rememberedReleases = 16;
const maximumPlatforms = 64;
/** Images have no file names; there is one for each platform. */
const imageName = "image";

const flag = v.optional(YesOrNo, "false");

/** `img://host[:port]/repository[?pre-release=&artifact=&calver=&constraint=&insecure=&audit=]` */
export async function openOciRegistry(
  location: Location,
  { http, clock, environment, credentials, content = "files" }: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const query = parseQuery(location, { ...commonQuery, insecure: flag, audit: flag });
  const { host, repository } = placeOf(location.place);
  const client = openOciClient({
    host,
    plainHttp: query.insecure || undefined,
    credentials: credentials ?? credentialsFrom(environment, { http, clock }),
    http,
    clock,
  });
  const { report, ...registry } = followRepository(
    client,
    repository,
    `img://${host}/${repository}`,
    content,
  );
  return {
    registry: query.audit ? { ...registry, report } : registry,
    rules: { preRelease: query["pre-release"], artifact: query.artifact },
    plainHttp: query.insecure,
  };
}

/**
 * `user/app` is Docker Hub's, as with `docker pull`: a first part is a host when it has a dot or a
 * port, or is `localhost`.
 */
function placeOf(place: string): { host: string; repository: string } {
  const [first = "", ...rest] = place.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  if (place === "" || (rest.length === 0 && /[.:]|^localhost$/.test(first))) {
    throw new ConfigError(`--registry: img://${place} names no repository`, {
      hint: "write it as img://host/repository, such as img://ghcr.io/acme/app",
    });
  }
  const host = isHost ? first : "docker.io";
  const path = isHost ? rest.join("/") : place;
  const whole = isDockerHub(host) && !path.includes("/") ? `library/${path}` : path;
  if (/[:@]/.test(whole)) {
    throw new ConfigError(`--registry: img://${place} names a tag, and dewy follows all of them`, {
      hint: `leave the tag out: img://${place.replace(/[:@][^/]*$/, "")}`,
    });
  }
  try {
    return { host, repository: parseReference(`${host}/${whole}`).repository };
  } catch (cause) {
    throw new ConfigError(`--registry: img://${place} is not host/repository`, {
      cause,
      hint: "use lower-case letters, digits, and . _ - / between them, such as ghcr.io/acme/app",
    });
  }
}

function followRepository(
  client: OciClient,
  repository: string,
  name: string,
  content: "files" | "images",
) {
  const releases = new Map<Digest, Omit<Release, "tag">>();
  /** What each tag pointed at when it was last announced: that is what gets deployed. */
  const announced = new Map<string, Digest>();
  let list: TagList = { tags: [], entityTag: undefined };

  return {
    name,
    scope: content === "images" ? content : "",

    tags: ({ signal }) =>
      translated(name, async () => {
        const unlessMatch = list.entityTag;
        list = (await client.tags(repository, { signal, unlessMatch })) ?? list;
        return list.tags.filter((tag) => isTag(tag) && !isReferrersTag(tag)).map(versionFor);
      }),

    release: (tag, call) =>
      translated(name, async () => {
        const head = await client.headManifest(repository, tagFor(tag), call);
        if (head === undefined) return undefined;
        const known = head.digest && releases.get(head.digest);
        if (head.digest) remember(announced, tag, head.digest);
        const release = known ?? (await fetchRelease(head.digest ?? tagFor(tag), call));
        return { tag, ...release };
      }),

    open: (artifact, call) =>
      translated(name, async () => {
        if (artifact.digest === undefined) {
          throw failure("INVALID_ANSWER", `${name} never announced ${artifact.name}`);
        }
        if (content === "files") return client.openBlob(repository, artifact.digest, call);
        const { bytes } = await client.manifest(repository, artifact.digest, call);
        return { bytes: streamOf(bytes), from: 0 };
      }),

    attachments: ({ tag, artifact }, call) => {
      const reference = announced.get(tag) ?? tagFor(tag);
      const place = { client, repository };
      return translatedEach(name, attachmentsIn(place, { reference, artifact }, call));
    },

    report: (report, call) =>
      translated(name, async () => {
        if (report.error !== undefined) return;
        const reference = announced.get(report.tag) ?? tagFor(report.tag);
        await recordInRepository({ client, repository }, reference, report, call);
      }),

    audits: (call) => translatedEach(name, audits(call)),

    async close() {},
  } satisfies ReleaseRegistry;

  async function* audits(call: Call): AsyncGenerator<AuditRecord> {
    const seen = new Set<Digest>();
    const { tags = [] } = (await client.tags(repository, call)) ?? {};
    for (const tag of newestTags(tags.filter((one) => isTag(one) && !isReferrersTag(one)))) {
      const { digest } = (await client.headManifest(repository, tag, call)) ?? {};
      if (digest === undefined || seen.has(digest)) continue;
      seen.add(digest);
      yield* repositoryAudits({ client, repository }, digest, call);
    }
  }

  async function fetchRelease(reference: string, call: Call): Promise<Omit<Release, "tag">> {
    const { bytes, mediaType, digest } = await client.manifest(repository, reference, call);
    const manifest = parseManifest(bytes, mediaType);
    const files =
      content === "images"
        ? imagesIn(manifest, { digest, sizeBytes: bytes.length })
        : manifest.kind === "image"
          ? filesIn(manifest.content, undefined)
          : await filesOfPlatforms(manifest.content, call);
    const release = {
      artifacts: files.map((file) => artifactFrom(file)),
      publishedAt: createdIn(manifest.content),
    };
    remember(releases, digest, release);
    return release;
  }

  async function filesOfPlatforms(index: ImageIndex, call: Call): Promise<ReleaseFile[]> {
    const files: ReleaseFile[] = [];
    for (const descriptor of index.manifests.slice(0, maximumPlatforms)) {
      const { bytes, mediaType } = await client.manifest(repository, descriptor.digest, call);
      const manifest = parseManifest(bytes, mediaType);
      if (manifest.kind === "image") files.push(...filesIn(manifest.content, descriptor.platform));
    }
    return files;
  }

  function artifactFrom({ name: file, platform, sizeBytes, digest }: ReleaseFile): Artifact {
    // An engine signs in by the name people know a registry by.
    const place = content === "images" ? name : `img://${client.host}/${repository}`;
    const url = `${place}@${digest}`;
    return { name: file, platform, sizeBytes, digest, identity: digest, url };
  }
}

function remember<Key, Value>(known: Map<Key, Value>, key: Key, value: Value): void {
  known.delete(key);
  const [oldest] = known.keys();
  if (oldest !== undefined && known.size >= rememberedReleases) known.delete(oldest);
  known.set(key, value);
}

/** One for each platform; an image that is in no index is for whoever pulls it. */
function imagesIn(
  manifest: Manifest,
  own: Pick<ReleaseFile, "digest" | "sizeBytes">,
): ReleaseFile[] {
  if (manifest.kind === "image") return [{ name: imageName, platform: undefined, ...own }];
  return manifest.content.manifests
    .filter(({ platform }) => platform && platform.os !== "unknown") // those are attestations
    .map(({ platform, digest, size }) => ({ name: imageName, platform, digest, sizeBytes: size }));
}
