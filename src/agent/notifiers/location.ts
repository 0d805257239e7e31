import * as v from "valibot";
import { ConfigError } from "../../base/errors.ts";
import { YesOrNo } from "../../base/schema.ts";
import { checkQuery, readQuery } from "../url-query.ts";

/** A notifier URL in its parts, before any scheme has looked at them. */
export interface NotifierLocation {
  scheme: string;
  /** Between `://` and the query, as it was written. */
  place: string;
  query: ReadonlyMap<string, string>;
}

/**
 * Takes `scheme://place?query` apart. By hand, as a channel may begin with `#` and a URL parser would
 * see a fragment. A password may be in any part of it, so no error shows one.
 *
 * @throws {ConfigError}
 */
export function parseLocation(url: string): NotifierLocation {
  const [, scheme, place = "", query = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^?]*)(?:\?(.*))?$/is.exec(url) ?? [];
  if (scheme === undefined) {
    const shown = /^\w{1,20}$/.test(url) ? url : "this";
    throw new ConfigError(`--notifier: ${shown} is not of the form scheme://place`, {
      hint: "write it as slack://channel or mail://host:port/recipient",
    });
  }
  return { scheme: scheme.toLowerCase(), place, query: readQuery("--notifier", query) };
}

/** What every notifier takes in its query. */
export const commonQuery = { quiet: v.optional(YesOrNo, "false") };

/** A value that is not empty. */
export const Text = v.pipe(v.string(), v.minLength(1, "write a value, or leave it out"));

/** Checks a query against what a scheme takes. @throws {ConfigError} naming the nearest known key */
export function parseQuery<const Entries extends v.ObjectEntries>(
  location: NotifierLocation,
  entries: Entries,
): v.InferOutput<v.StrictObjectSchema<Entries, undefined>> {
  return checkQuery("--notifier", location, entries);
}

/** @throws {ConfigError} for a % that escapes nothing */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("--notifier: there is a % in the URL that escapes nothing", {
      hint: "write a % itself as %25",
    });
  }
}
