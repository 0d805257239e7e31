import { OciError } from "../../oci/error.ts";
import type { AdmissionParts } from "./admission.ts";
import { blobMethods } from "./blobs.ts";
import { collectionMethods, collectionsMethods } from "./collections.ts";
import type { Answer, ApiParts, Inquiry, Methods } from "./exchange.ts";
import { catalogMethods, tagsMethods } from "./listings.ts";
import { manifestMethods } from "./manifests.ts";
import { quotasMethods } from "./quotas.ts";
import { referrersMethods } from "./referrers.ts";
import { repositoriesMethods, repositoryMethods } from "./repositories.ts";
import type { Route } from "./routes.ts";
import { scrubMethods, scrubsMethods } from "./scrubs.ts";
import { historyMethods } from "./tag-history.ts";
import { tokenMethods } from "./token.ts";
import { uploadMethods, uploadsMethods } from "./uploads.ts";

/** Does what `request` asks of `route`. @throws whatever `answerTo` then has an answer to */
export async function answerFor(
  route: Route | undefined,
  inquiry: Inquiry,
  parts: ApiParts & AdmissionParts & { writes: "allowed" | "refused" },
): Promise<Answer> {
  if (route === undefined || isNowhere(route, parts))
    return { status: 404, headers: plainText, body: "404 page not found\n" };
  const method = inquiry.request.method ?? "";
  const methods = methodsOf(route, inquiry, parts);
  const allow = allowedIn(methods).join(", ");
  if (method === "OPTIONS") return { status: 200, headers: { allow, "content-length": 0 } };
  const work = new Map(Object.entries(methods)).get(method === "HEAD" ? "GET" : method);
  if (work === undefined) {
    return { status: 405, headers: { ...plainText, allow }, body: "405 method not allowed\n" };
  }
  const isWrite = !["GET", "HEAD"].includes(method) && route.kind !== "token";
  if (parts.writes === "refused" && isWrite) {
    throw new OciError("UNSUPPORTED", "this registry can only be read", {
      hint: "set storage.maintenance.readonly.enabled: false",
    });
  }
  return work();
}

const plainText = { "content-type": "text/plain; charset=utf-8" };

/** Tokens are only handed out where that is configured. */
function isNowhere({ kind }: Route, { gate }: AdmissionParts): boolean {
  return kind === "token" && gate.tokens === undefined;
}

function methodsOf(route: Route, inquiry: Inquiry, parts: ApiParts & AdmissionParts): Methods {
  switch (route.kind) {
    case "root":
      return { GET: async () => ({ status: 200, headers: aliveHeaders }) };
    case "base":
      return { GET: async () => ({ status: 200, headers: baseHeaders, body: "{}" }) };
    case "token":
      return parts.gate.tokens ? tokenMethods(inquiry, parts.gate.tokens, parts) : {};
    case "catalog":
      return catalogMethods(inquiry, parts);
    case "tags":
      return tagsMethods(route, inquiry, parts);
    case "manifest":
      return manifestMethods(route, inquiry, parts);
    case "blob":
      return blobMethods(route, inquiry, parts);
    case "uploads":
      return uploadsMethods(route, inquiry, parts);
    case "upload":
      return uploadMethods(route, inquiry, parts);
    case "referrers":
      return referrersMethods(route, inquiry, parts);
    case "repositories":
      return repositoriesMethods(inquiry, parts);
    case "repository":
      return repositoryMethods(route, inquiry, parts);
    case "history":
      return historyMethods(route, inquiry, parts);
    case "quotas":
      return quotasMethods(parts);
    case "collections":
      return collectionsMethods(inquiry, parts);
    case "collection":
      return collectionMethods(route, parts);
    case "scrubs":
      return scrubsMethods(inquiry, parts);
    case "scrub":
      return scrubMethods(route, parts);
  }
}

const aliveHeaders = { "cache-control": "no-cache", "content-length": 0 };
const baseHeaders = { "content-type": "application/json" };

function allowedIn(methods: Methods): string[] {
  return Object.keys(methods).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
}
