import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import { openGcsStore } from "../../objects/gcs.ts";
import type { ObjectStore, StoredObject } from "../../objects/object-store.ts";
import { openS3Store } from "../../objects/s3.ts";
import { s3EndpointIn } from "../../objects/s3-endpoint.ts";
import { isRecordName, newestTags } from "../audit/audit-record.ts";
import { bucketAudits, recordInBucket } from "../audit/bucket.ts";
import { openRefusals } from "../audit/refusal.ts";
import type { Artifact, Release, ReleaseRegistry } from "../release.ts";
import { gcsPlace, s3Place } from "./bucket-place.ts";
import { commonQuery, type Location, parseQuery } from "./location.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure, translated, translatedEach } from "./registry-failure.ts";

/** The newest few that `choose` looks back at. */
const rememberedReleases = 16;
const maximumTags = 100_000;
const maximumArtifacts = 1000;
/** How many objects are asked about at a time. */
const lanes = 8;

const text = v.optional(v.pipe(v.string(), v.minLength(1, "write a value, or leave it out")));

/** `s3://region/bucket[/prefix][?endpoint=&region=&pre-release=&artifact=]` */
export async function openS3Registry(
  location: Location,
  { http, clock, environment }: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const query = parseQuery(location, { ...commonQuery, endpoint: text, region: text });
  const { bucket, prefix, ...place } = s3Place(location);
  const endpoint = s3EndpointIn("--registry: endpoint", query.endpoint, environment);
  const region = query.region ?? place.region;
  const store = openS3Store({ region, bucket, endpoint, environment, http, clock });
  const rules = { preRelease: query["pre-release"], artifact: query.artifact };
  const registry = followBucket(store, prefix, `s3://${location.place}`);
  return { registry: { ...registry, scope: endpoint?.href ?? "" }, rules };
}

/** `gs://bucket[/prefix]` or `gs://project/bucket/prefix`, with `[?pre-release=&artifact=]` */
export async function openGcsRegistry(
  location: Location,
  { http, clock, environment }: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const query = parseQuery(location, commonQuery);
  const { bucket, prefix } = gcsPlace(location);
  const store = openGcsStore({ bucket, environment, http, clock });
  const rules = { preRelease: query["pre-release"], artifact: query.artifact };
  return { registry: followBucket(store, prefix, `gs://${location.place}`), rules };
}

/** Follows `<prefix><version>/<artifact>`: an idle poll is two listings, of one level each. */
function followBucket(store: ObjectStore, prefix: string, name: string): ReleaseRegistry {
  const unlessRefused = openRefusals();
  const remembered = new Map<string, { evidence: string; release: Release }>();

  return {
    name,

    tags,

    release: (tag, call) =>
      translated(name, async () => {
        const listing = await listed(under(tag), call);
        if (listing === undefined) return undefined;
        const { objects } = listing;
        const evidence = JSON.stringify(objects.map(({ key, version }) => [key, version]));
        const known = remembered.get(tag);
        if (known?.evidence === evidence) return known.release;
        const release = await described(tag, objects, call);
        remember(tag, evidence, release);
        return release;
      }),

    open: ({ name: file, url }, call) =>
      translated(name, async () => {
        const { key, version } = placeOf(url);
        const opened = await store.open(key, { version, from: call.from }, call);
        if (opened) return opened;
        throw failure("NOT_FOUND", `${name}: ${file} is gone, or was replaced by another`, {
          hint: "wait for the next poll, which takes what is there now",
        });
      }),

    async report(report, call) {
      if (report.error !== undefined) return;
      const directory = under(report.tag);
      await unlessRefused(() =>
        translated(name, () => recordInBucket(store, directory, report, call)),
      );
    },

    async *audits(call) {
      for (const tag of newestTags(await tags(call))) {
        const place = { directory: under(tag), tag };
        yield* translatedEach(name, bucketAudits(store, place, call));
      }
    },

    close: async () => store.close(),
  };

  function tags(call: Call): Promise<string[]> {
    return translated(name, async () => {
      const found: string[] = [];
      for await (const entry of store.list(prefix, call)) {
        if (!("prefix" in entry)) continue;
        found.push(entry.prefix.slice(prefix.length, -1));
        if (found.length > maximumTags) throw tooMany(`${maximumTags} versions`, prefix);
      }
      return found;
    });
  }

  function under(tag: string): string {
    return `${prefix}${tag}/`;
  }

  /** `undefined` when nothing is there; audit records of the original are no artifacts. */
  async function listed(directory: string, call: Call) {
    const objects: StoredObject[] = [];
    let isThere = false;
    for await (const entry of store.list(directory, call)) {
      isThere = true;
      if ("prefix" in entry || !isArtifact(entry.key.slice(directory.length))) continue;
      objects.push(entry);
      if (objects.length > maximumArtifacts) throw tooMany(`${maximumArtifacts} files`, directory);
    }
    return isThere ? { objects } : undefined;
  }

  async function described(
    tag: string,
    objects: readonly StoredObject[],
    call: Call,
  ): Promise<Release> {
    const known = store.listsDigests ? objects : await withDigests(store, objects, call);
    const times = known.map(({ modifiedAt }) => modifiedAt.getTime());
    const oldest = times.reduce((a, b) => Math.min(a, b), Infinity);
    return {
      tag,
      publishedAt: Number.isFinite(oldest) ? new Date(oldest) : undefined,
      artifacts: known.map((object) => artifactFrom(object)),
    };
  }

  function artifactFrom({ key, sizeBytes, digest, version }: StoredObject): Artifact {
    const file = key.slice(key.lastIndexOf("/") + 1);
    const url = `${name}#${new URLSearchParams({ key, version })}`;
    return { name: file, platform: undefined, sizeBytes, digest, identity: digest ?? version, url };
  }

  function remember(tag: string, evidence: string, release: Release): void {
    remembered.delete(tag);
    const [oldest] = remembered.keys();
    if (oldest !== undefined && remembered.size >= rememberedReleases) remembered.delete(oldest);
    remembered.set(tag, { evidence, release });
  }

  function tooMany(what: string, directory: string) {
    const message = `${name}: there are more than ${what} under ${directory || "the bucket"}`;
    const hint = "keep the releases under a prefix of their own, and delete old ones";
    return failure("INVALID_ANSWER", message, { hint });
  }
}

const isArtifact = (file: string): boolean => file !== "" && !isRecordName(file);

/** What a listing does not tell is asked of each object, once in the life of a release. */
async function withDigests(
  store: ObjectStore,
  objects: readonly StoredObject[],
  call: Call,
): Promise<StoredObject[]> {
  const known: StoredObject[] = [];
  for (let first = 0; first < objects.length; first += lanes) {
    const some = objects.slice(first, first + lanes);
    const answers = await Promise.all(some.map(({ key }) => store.stat(key, call)));
    known.push(...answers.filter((object) => object !== undefined));
  }
  return known;
}

function placeOf(url: string): { key: string; version: string } {
  const place = new URLSearchParams(url.slice(url.indexOf("#") + 1));
  return { key: place.get("key") ?? "", version: place.get("version") ?? "" };
}
