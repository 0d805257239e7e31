import * as v from "valibot";
import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import type { HttpAnswer } from "../../base/http-client.ts";
import { Secret } from "../../base/secret.ts";
import { isDigest } from "../../oci/digest.ts";
import { nextPage } from "../../oci/page-link.ts";
import { isRecordName, newestTags, parseRecordName } from "../audit/audit-record.ts";
import { type AuditedRelease, openGithubAudit } from "../audit/github.ts";
import type { Artifact, OpenedArtifact, Release, ReleaseRegistry } from "../release.ts";
import { askGithub, type GithubParts } from "./github-api.ts";
import { commonQuery, type Location, parseQuery } from "./location.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure, translated } from "./registry-failure.ts";

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
  published_at: v.nullable(v.string()),
  upload_url: v.optional(v.string()),
  assets: v.array(AssetAnswer),
});
const Page = v.array(ReleaseAnswer);

interface ListedRelease {
  tag: string;
  release: Release;
  audited: AuditedRelease;
}

/** A hundred releases of forty assets each are 7 MB. */
const maximumPageBytes = 32 * 1024 * 1024;
const maximumPages = 100;

/** `ghr://owner/repository[?pre-release=&artifact=]` */
export async function openGithubReleases(
  location: Location,
  { http, clock, environment }: RegistryParts,
): Promise<OpenedReleaseRegistry> {
  const query = parseQuery(location, commonQuery);
  const [owner, repository] = ownerAndRepository(location);
  const token = tokenIn(environment);
  const name = `ghr://${owner}/${repository}`;
  const base = `${apiOf(environment)}/repos/${owner}/${repository}/releases`;
  return {
    registry: followReleases({ name, token, http, clock }, base),
    rules: {
      preRelease: query["pre-release"],
      artifact: query.artifact ?? (environment.GITHUB_ARTIFACT || undefined),
    },
  };
}

function tokenIn({ GH_TOKEN, GITHUB_TOKEN }: Environment): Secret {
  const [variable, token] = GH_TOKEN ? ["GH_TOKEN", GH_TOKEN] : ["GITHUB_TOKEN", GITHUB_TOKEN];
  if (!token) {
    throw new ConfigError("--registry: ghr:// needs a token, and neither variable has one", {
      hint: "set GH_TOKEN or GITHUB_TOKEN to a token that may read the repository",
    });
  }
  if (/^[\x21-\x7e]+$/.test(token)) return new Secret(token);
  throw new ConfigError(`${variable}: there is a space, a line end or the like in the token`, {
    hint: `set ${variable} to the token alone`,
  });
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

function followReleases(parts: GithubParts, base: string): ReleaseRegistry {
  const { name } = parts;
  const audit = openGithubAudit(parts);
  let releases: ListedRelease[] | undefined;
  let entityTag: string | undefined;

  return {
    name,
    scope: base,

    tags: (call) =>
      translated(name, async () => {
        releases = await current(call);
        return releases.map(({ tag }) => tag);
      }),

    release: (tag, call) =>
      translated(name, async () => {
        releases ??= await current(call);
        return releases.find((release) => release.tag === tag)?.release;
      }),

    open: (artifact, call) =>
      translated(name, async () => {
        // What was announced may come out of a cache, and the token must not go where that says.
        if (artifact.url.startsWith(`${base}/assets/`)) return openAsset(parts, artifact, call);
        throw failure("INVALID_ANSWER", `${name} never announced ${artifact.name}`);
      }),

    report: (report, call) =>
      translated(name, async () => {
        if (report.error !== undefined) return;
        releases ??= await current(call);
        const listed = releases.find(({ tag }) => tag === report.tag);
        if (listed) return audit.record(listed.audited, report, call);
        throw failure("NOT_FOUND", `${name}: there is no release ${report.tag} to record it`);
      }),

    async *audits(call) {
      const listed = await translated(name, () => current(call));
      releases = listed;
      for (const tag of newestTags(listed.map((release) => release.tag))) {
        const found = listed.find((release) => release.tag === tag);
        for (const file of found?.audited.records ?? []) {
          const record = parseRecordName(file.name);
          if (record) yield { ...record, tag };
        }
      }
    },

    async close() {},
  };

  /** An answer of 304 is not counted against the rate limit, so an idle poll is free. */
  async function current(call: Call): Promise<ListedRelease[]> {
    const first = new URL(`${base}?per_page=100`);
    const known = releases !== undefined && entityTag ? { "if-none-match": entityTag } : {};
    const answer = await list(first, known, call);
    if (answer.status === 304 && releases !== undefined) {
      answer.discard();
      return releases;
    }
    const found = await releasesIn(answer, base, name);
    let next = nextPage(answer.headers.link, first);
    for (let page = 2; next !== undefined && page <= maximumPages; page++) {
      const more = await list(next, {}, call);
      found.push(...(await releasesIn(more, base, name)));
      next = nextPage(more.headers.link, next);
    }
    entityTag = answer.headers.etag;
    return found;
  }

  function list(url: URL, headers: Record<string, string>, call: Call): Promise<HttpAnswer> {
    const accept = "application/vnd.github+json";
    const statuses = "if-none-match" in headers ? [200, 304] : [200];
    return askGithub(parts, { url, accept, headers, statuses }, call);
  }
}

async function releasesIn(
  answer: HttpAnswer,
  base: string,
  name: string,
): Promise<ListedRelease[]> {
  try {
    const bytes = await collect(answer.body, maximumPageBytes);
    const page = v.parse(Page, JSON.parse(bytes.toString()));
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
  const { tag_name: tag, published_at, upload_url, assets } = answer;
  const uploaded = assets.filter(({ state }) => state === "uploaded");
  const records = uploaded.filter(({ name }) => isRecordName(name));
  return {
    tag,
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
