import * as v from "valibot";
import { ConfigError } from "../../base/errors.ts";
import { YesOrNo } from "../../base/schema.ts";
import { checkQuery, readQuery } from "../url-query.ts";
import { verifyPolicies } from "../verify/policy.ts";

/** A registry URL in its parts, before any scheme has looked at them. */
export interface Location {
  scheme: string;
  /** Between `://` and the query. */
  place: string;
  query: ReadonlyMap<string, string>;
}

/**
 * Takes `scheme://place?query` apart. By hand, as none of our schemes is a URL that a URL parser
 * treats well: `img://10.0.0.1:5000/app` has a port, and `ghr://Owner/Repository` no host.
 *
 * @throws {ConfigError}
 */
export function parseLocation(url: string): Location {
  const [, scheme, place = "", query = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^?#]*)(?:\?(.*))?$/i.exec(url) ?? [];
  if (scheme === undefined) {
    const shown = url.replace(/^.*@/s, "***@") || "(nothing)"; // it may hold a password
    throw new ConfigError(`--registry: ${shown} is not of the form scheme://place`, {
      hint: "write it as ghr://owner/repository or img://host/repository",
    });
  }
  if (/^[^/]*:[^/]*@|^[^/@]*@[^/]*\//.test(place)) {
    throw new ConfigError(`--registry: ${scheme}:// takes no user or password in the URL`, {
      hint: "leave out what is before the @: credentials are read from the environment",
    });
  }
  return {
    scheme: scheme.toLowerCase(),
    place: place.replace(/\/+$/, ""),
    query: readQuery("--registry", query),
  };
}

/** How the releases of every registry are chosen; what they mean is checked by `rulesOf`. */
export const choiceQuery = {
  calver: v.optional(v.string()),
  constraint: v.optional(v.string()),
  verify: v.optional(v.picklist(verifyPolicies, `choose one of: ${verifyPolicies.join(", ")}`)),
};

/** What every registry with more than one release takes in its query. */
export const commonQuery = {
  "pre-release": v.optional(YesOrNo, "false"),
  artifact: v.optional(v.pipe(v.string(), v.minLength(1, "name a file, or leave it out"))),
  ...choiceQuery,
};

/** Checks a query against what a scheme takes. @throws {ConfigError} naming the nearest known key */
export function parseQuery<const Entries extends v.ObjectEntries>(
  location: Location,
  entries: Entries,
): v.InferOutput<v.StrictObjectSchema<Entries, undefined>> {
  return checkQuery("--registry", location, entries);
}
