import * as v from "valibot";
import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import type { HttpAnswer } from "../../base/http-client.ts";
import { isDigest } from "../../oci/digest.ts";
import { nextPage } from "../../oci/page-link.ts";
import { isRecordName, newestTags, parseRecordName } from "../audit/audit-record.ts";
import type { Artifact, OpenedArtifact, Release, ReleaseRegistry } from "../release.ts";
import { askGithub, type GithubParts } from "./github-api.ts";
import { attestationsOf } from "./github-attestations.ts";
import { type AuditedRelease, openGithubAudit } from "./github-audit.ts";
import { githubCredentials } from "./github-credentials.ts";
import { openPages, type Page } from "./github-pages.ts";
import { openRateLimit } from "./github-rate-limit.ts";
import { commonQuery, type Location, parseQuery } from "./location.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure, translated, translatedEach } from "./registry-failure.ts";

const AssetAnswer = v.object({
  id: v.pipe(v.number(), v.safeInteger()),
  name: v.string(),
  size: v.number(),
  state: v.optional(v.string(), "uploaded"),
  updated_at: v.string(),
  digest: v.optional(v.nullable(v.string())),
});
/** GitHub's REST API, "List releases"; what we do not use is dropped as it comes in. */
const ReleaseAnswer = v.object({
  tag_name: v.string(),
  draft: v.boolean(),
  prerelease: v.optional(v.boolean(), false),
  published_at: v.nullable(v.string()),
  upload_url: v.optional(v.string()),
  assets: v.array(AssetAnswer),
});
const ReleasesAnswer = v.array(ReleaseAnswer);

interface ListedRelease {
  release: Release;
  /** Whether its author ticked "Set as a pre-release", whatever its tag says. */
  isPreRelease: boolean;
  audited: AuditedRelease;
}

/** A hundred releases of forty assets each are 7 MB. */
const maximumPageBytes = 32 * 1024 * 1024;

/** `ghr://owner/repository[?pre-release=&artifact=&calver=&constraint=]` */
export async function openGithubReleases(
  location: Location,
  { http, clock, environment, observe }: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const query = parseQuery(location, commonQuery);
  const [owner, repository] = ownerAndRepository(location);
  const name = `ghr://${owner}/${repository}`;
  const api = apiOf(environment);
  const access = { name, http, clock };
  const credentials = await githubCredentials(environment, access, api);
  const parts = { ...access, credentials, heedRateLimit: openRateLimit(observe) };
  const preRelease = query["pre-release"];
  return {
    registry: followReleases(parts, `${api}/repos/${owner}/${repository}/releases`, { preRelease }),
    rules: {
      preRelease,
      artifact: query.artifact ?? (environment.GITHUB_ARTIFACT || undefined),
    },
  };
}

function ownerAndRepository({ place }: Location): [string, string] {
  const [owner, repository, ...rest] = place.split("/");
  const isName = (text: string | undefined) =>
    text !== undefined && /^[\w.-]*\w[\w.-]*$/.test(text);
  if (owner && repository && isName(owner) && isName(repository) && rest.length === 0) {
    return [owner, repository];
  }
  throw new ConfigError(`--registry: ghr://${place} is not an owner and a repository`, {
    hint: "write it as ghr://owner/repository, such as ghr://acme/app",
  });
}

function apiOf({ GITHUB_API_URL, GITHUB_ENDPOINT }: Environment): string {
  const [variable, url] = GITHUB_API_URL
    ? ["GITHUB_API_URL", GITHUB_API_URL]
    : ["GITHUB_ENDPOINT", GITHUB_ENDPOINT || "https://api.github.com"];
  const { protocol, username, password } = URL.canParse(url) ? new URL(url) : new URL("none:");
  if (/^https?:$/.test(protocol) && !username && !password) return url.replace(/\/+$/, "");
  throw new ConfigError(`${variable}: this is not an http or https URL without credentials`, {
    hint: `set ${variable} to a URL such as https://github.example.com/api/v3, or unset it`,
  });
}

function followReleases(
  parts: GithubParts,
  base: string,
  { preRelease }: { preRelease: boolean },
): ReleaseRegistry {
  const { name } = parts;
  const pages = openPages(new URL(`${base}?per_page=100`), fetchPage);
  const audit = openGithubAudit(parts);
  let listed: ListedRelease[] | undefined;

  return {
    name,
    scope: base,

    tags: (call) =>
      translated(name, async () => {
        listed = await pages.current(call);
        const taken = listed.filter(({ isPreRelease }) => preRelease || !isPreRelease);
        return taken.map(({ release }) => release.tag);
      }),

    release: (tag, call) =>
      translated(name, async () => {
        listed ??= await pages.current(call);
        return listed.find(({ release }) => release.tag === tag)?.release;
      }),

    open: (artifact, call) =>
      translated(name, async () => {
        // What was announced may come out of a cache, and the token must not go where that says.
        if (artifact.url.startsWith(`${base}/assets/`)) return openAsset(parts, artifact, call);
        throw failure("INVALID_ANSWER", `${name} never announced ${artifact.name}`);
      }),

    async *attachments({ artifact: { digest } }, call) {
      if (digest === undefined) return;
      const repository = base.replace(/\/releases$/, "");
      yield* translatedEach(name, attestationsOf(parts, repository, digest, call));
    },

    report: (report, call) =>
      translated(name, async () => {
        if (report.error !== undefined) return;
        listed ??= await pages.current(call);
        const reported = listed.find(({ release }) => release.tag === report.tag);
        if (reported) return audit.record(reported.audited, report, call);
        throw failure("NOT_FOUND", `${name}: there is no release ${report.tag} to record it`);
      }),

    async *audits(call) {
      const all = await translated(name, () => pages.current(call));
      listed = all;
      for (const tag of newestTags(all.map(({ release }) => release.tag))) {
        const found = all.find(({ release }) => release.tag === tag);
        for (const file of found?.audited.records ?? []) {
          const record = parseRecordName(file.name);
          if (record) yield { ...record, tag };
        }
      }
    },

    async close() {},
  };

  /** An answer of 304 is not counted against the rate limit, so an idle poll is free. */
  async function fetchPage(
    url: URL,
    entityTag: string | undefined,
    call: Call,
  ): Promise<Page<ListedRelease> | undefined> {
    const accept = "application/vnd.github+json";
    const headers = entityTag === undefined ? {} : { "if-none-match": entityTag };
    const statuses = entityTag === undefined ? [200] : [200, 304];
    const answer = await askGithub(parts, { url, accept, headers, statuses }, call);
    if (answer.status === 200) {
      const items = await releasesIn(answer, base, name);
      return { items, entityTag: answer.headers.etag, next: nextPage(answer.headers.link, url) };
    }
    answer.discard();
    return undefined;
  }
}

async function releasesIn(
  answer: HttpAnswer,
  base: string,
  name: string,
): Promise<ListedRelease[]> {
  try {
    const bytes = await collect(answer.body, maximumPageBytes);
    const page = v.parse(ReleasesAnswer, JSON.parse(bytes.toString()));
    return page.filter(({ draft }) => !draft).map((release) => listedFrom(release, base));
  } catch (error) {
    const isNonsense =
      error instanceof SyntaxError || error instanceof BytesError || v.isValiError(error);
    if (!isNonsense) throw error;
    throw failure("INVALID_ANSWER", `${name}: the answer is no list of releases`, {
      cause: error,
      hint: "check GITHUB_API_URL, and what a proxy before it answers",
    });
  }
}

function listedFrom(answer: v.InferOutput<typeof ReleaseAnswer>, base: string): ListedRelease {
  const { tag_name: tag, prerelease: isPreRelease, published_at, upload_url, assets } = answer;
  const uploaded = assets.filter(({ state }) => state === "uploaded");
  const records = uploaded.filter(({ name }) => isRecordName(name));
  return {
    isPreRelease,
    release: {
      tag,
      publishedAt: published_at === null ? undefined : new Date(published_at),
      artifacts: uploaded
        .filter((asset) => !records.includes(asset))
        .map((asset) => artifactFrom(asset, base)),
    },
    audited: {
      tag,
      uploadUrl: upload_url?.replace(/\{.*$/, ""),
      apiUrl: base,
      assetCount: assets.length,
      records: records.map(({ id, name }) => ({ name, url: `${base}/assets/${id}` })),
    },
  };
}

function artifactFrom(asset: v.InferOutput<typeof AssetAnswer>, base: string): Artifact {
  const { id, name, size, updated_at, digest } = asset;
  return {
    name,
    platform: undefined,
    sizeBytes: size,
    digest: digest && isDigest(digest) ? digest : undefined,
    identity: digest || `${id}@${updated_at}`,
    url: `${base}/assets/${id}`,
  };
}

/** GitHub redirects to its object storage, which must not see the token: the client drops it there. */
async function openAsset(
  parts: GithubParts,
  artifact: Artifact,
  { signal, from }: Call & { from: number },
): Promise<OpenedArtifact> {
  const request = { url: new URL(artifact.url), accept: "application/octet-stream" };
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  const statuses = from > 0 ? [200, 206, 416] : [200];
  const answer = await askGithub(parts, { ...request, headers: range, statuses }, { signal });
  if (answer.status === 200) return { bytes: answer.body, from: 0 };
  const isWanted = answer.headers["content-range"]?.startsWith(`bytes ${from}-`) ?? false;
  if (answer.status === 206 && isWanted) return { bytes: answer.body, from };
  answer.discard(); // another file than the one that was begun: start over
  const whole = await askGithub(parts, { ...request, statuses: [200] }, { signal });
  return { bytes: whole.body, from: 0 };
}
