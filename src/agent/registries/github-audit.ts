import type { Call } from "../../base/call.ts";
import type { HttpAnswer } from "../../base/http-client.ts";
import { recordOf, surplusRecords } from "../audit/audit-record.ts";
import { openRefusals } from "../audit/refusal.ts";
import { type DeploymentReport, ReleaseRegistryError } from "../release.ts";
import { askGithub, type GithubParts } from "./github-api.ts";
import { failure } from "./registry-failure.ts";

/** A release, as far as it takes records in. */
export interface AuditedRelease {
  tag: string;
  /** As the server names it, up to the `{`; `undefined` when it names none. */
  uploadUrl: string | undefined;
  /** Where the release was read. */
  apiUrl: string;
  /** How many assets it has, of which `records` are records. */
  assetCount: number;
  records: readonly { name: string; url: string }[];
}

/** "A release can have up to 1000 assets" (GitHub, "About releases"). */
const maximumAssets = 1000;

const json = "application/vnd.github+json";

/** Leaves records of deployments as assets of the releases. */
export function openGithubAudit(parts: GithubParts) {
  const { name } = parts;
  const unlessRefused = openRefusals();

  return {
    record: (release: AuditedRelease, report: DeploymentReport, call: Call): Promise<void> =>
      unlessRefused(async () => {
        try {
          await upload(release, report, call);
          const surplus = surplusRecords(release.records, report.host);
          for (const { url } of surplus) await remove(url, call);
        } catch (error) {
          throw isRefusal(error) ? notAllowed(error) : error;
        }
      }),
  };

  /** GitHub says 404 of what a token may not do, so as not to say that it is there. */
  function notAllowed(cause: unknown) {
    return failure("UNAUTHORIZED", `${name}: the token may not record deployments`, {
      cause,
      hint: "give it write access to the contents of the repository, or do without the record",
    });
  }

  async function upload(release: AuditedRelease, report: DeploymentReport, call: Call) {
    const url = uploadUrlOf(release, name);
    const record = recordOf(report);
    url.searchParams.set("name", record.name);
    const answer = await askGithub(
      parts,
      {
        ...{ method: "POST", url, accept: json, body: record.text, statuses: [201, 422] },
        headers: { "content-type": "text/plain" },
      },
      call,
    );
    answer.discard();
    if (answer.status === 422) throw notTaken(release, answer);
  }

  /** GitHub answers 404 when another host was faster. */
  async function remove(url: string, call: Call): Promise<void> {
    const request = { method: "DELETE", url: new URL(url), accept: json, statuses: [204, 404] };
    (await askGithub(parts, request, call)).discard();
  }

  function notTaken({ tag, assetCount }: AuditedRelease, { status }: HttpAnswer) {
    const isFull = assetCount >= maximumAssets;
    const why = isFull ? `it has ${assetCount} files, and GitHub takes no more` : `(${status})`;
    const hint = isFull
      ? "delete old files that begin with shipped_to_ from the release"
      : "look at the release: a draft or a locked one takes no files";
    return failure("UNAVAILABLE", `${name}: the release ${tag} takes no record: ${why}`, { hint });
  }
}

/** Where the answer that named the release says, and only as safely as that was reached. */
function uploadUrlOf({ tag, uploadUrl = "", apiUrl }: AuditedRelease, name: string): URL {
  const url = URL.canParse(uploadUrl) ? new URL(uploadUrl) : undefined;
  const isSafe = url?.protocol === "https:" || url?.protocol === new URL(apiUrl).protocol;
  if (url && isSafe) return url;
  throw failure("INVALID_ANSWER", `${name}: the server names no place for files of ${tag}`, {
    hint: "check GITHUB_API_URL, and what a proxy before it answers",
  });
}

function isRefusal(error: unknown): boolean {
  const isOurs = error instanceof ReleaseRegistryError;
  return isOurs && (error.code === "UNAUTHORIZED" || error.code === "NOT_FOUND");
}
