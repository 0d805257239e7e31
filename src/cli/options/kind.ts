import * as v from "valibot";
import { parseWindow } from "../../agent/choose/window.ts";
import { parsePortMappings } from "../../agent/containers/port-mapping.ts";
import type { NotifyBy } from "../../agent/readiness/notification.ts";
import { ConfigError, lineOf } from "../../base/errors.ts";
import { ByteCount, Seconds, YesOrNo } from "../../base/schema.ts";

/** A form of value: how it is checked, and how its form is told to an editor and to a shell. */
export interface Kind<S extends v.GenericSchema = v.GenericSchema> {
  /** Takes what a command line or a variable holds, and what YAML makes of the same words. */
  schema: S;
  /** The same in JSON Schema (draft 2020-12), for `dewy.yaml`. */
  json: object;
  /** What a shell offers where the values are known. */
  completes?: "file" | "directory" | readonly string[];
}

const kind = <const S extends v.GenericSchema>(
  schema: S,
  json: object,
  completes?: Kind["completes"],
): Kind<S> => ({ schema, json, ...(completes && { completes }) });

const writeText = "write a text here, or leave it out; in quotes where it looks like a number";
const Text = v.pipe(
  v.string(writeText),
  v.minLength(1, "write something here, or leave it out"),
  v.check((text) => !text.includes("\0"), "a NUL byte cannot be passed on"),
);
const jsonText = { type: "string", minLength: 1 };

export const text = kind(Text, jsonText);
export const file = kind(Text, jsonText, "file");
export const directory = kind(
  v.pipe(v.string(writeText), v.minLength(1, "name a directory, or leave it out"), Text),
  jsonText,
  "directory",
);

/** A name that can stand in a log, a label and a path. */
export const name = kind(
  v.pipe(
    Text,
    v.regex(/^[\w][\w.-]{0,127}$/, "write letters, digits, dots, dashes: 128 at the most"),
  ),
  { type: "string", pattern: "^\\w[\\w.-]{0,127}$" },
);

/** `scheme://place`. The words are not repeated in the sentence: a password may be among them. */
const Url = (example: string) =>
  v.pipe(Text, v.regex(/^[a-z][a-z0-9+.-]*:\/\//i, `write it as scheme://place: ${example}`));
const jsonUrl = { type: "string", pattern: "^[a-zA-Z][a-zA-Z0-9+.-]*://" };

export const url = (example: string) => kind(Url(example), jsonUrl);

export const urls = (example: string) =>
  kind(
    v.pipe(
      v.union([v.string(), v.array(Url(example))], "write a URL, or a list of URLs"),
      v.transform((value) => (typeof value === "string" ? [value] : value)),
      v.array(Url(example)),
    ),
    { oneOf: [jsonUrl, { type: "array", items: jsonUrl }] },
  );

export const words = kind(
  v.pipe(
    v.union([Text, v.array(Text)], "write a word, or a list of words"),
    v.transform((value) => [value].flat()),
  ),
  { oneOf: [jsonText, { type: "array", items: jsonText }] },
);

const Key = v.pipe(
  Text,
  v.check((text) => !/^\w+:$/.test(text), "write the key after the colon"),
);

/** Paths of public keys, or the keys themselves. */
export const keys = kind(
  v.pipe(
    v.union([v.string(), v.array(Key)], "write the path of a key, or a list of these"),
    v.transform((value) => (typeof value === "string" ? [value] : value)),
    v.array(Key),
  ),
  { oneOf: [jsonText, { type: "array", items: jsonText }] },
  "file",
);

const Time = v.pipe(
  v.union([v.string(), v.number()], "write seconds, such as 10, or a duration, such as 1m30s"),
  v.transform(String),
  Seconds,
  v.maxValue(86_400_000, "that is longer than a day: write 1d or less"),
);
const jsonTime = (leastSeconds: number, mostSeconds = 86_400) => ({
  oneOf: [
    { type: "number", minimum: leastSeconds, maximum: mostSeconds },
    { type: "string", pattern: "^(\\d+(\\.\\d+)?(ns|us|µs|ms|s|m|h|d))+$|^\\d+(\\.\\d+)?$" },
  ],
});

export const duration = kind(Time, jsonTime(0));
export const healthTime = kind(
  v.pipe(Time, v.minValue(100, "write 0.1 or more"), v.maxValue(3_600_000, "write 1h or less")),
  jsonTime(0.1),
);
export const shortTime = kind(v.pipe(Time, v.maxValue(3_600_000, "write 1h or less")), jsonTime(0));
/** How often something is done that may be left. */
export const rhythm = kind(
  v.pipe(
    Time,
    v.maxValue(3_600_000, "write 1h or less"),
    v.check((ms) => ms === 0 || ms >= 100, "write 0.1 or more, or 0 for never"),
  ),
  jsonTime(0),
);
const longestAgeMs = 366 * 86_400_000;

/** A time that may take many days. */
export const age = kind(
  v.pipe(
    v.union([v.string(), v.number()], "write a duration, such as 24h or 3d"),
    v.transform(String),
    Seconds,
    v.maxValue(longestAgeMs, "that is longer than a year: write 366d or less"),
  ),
  jsonTime(0, longestAgeMs / 1000),
);

const writeWindow = "write a window, such as Mon-Thu 10:00-16:00 Asia/Tokyo, or a list of these";
const jsonWindow = { type: "string", minLength: 9 };

export const windows = kind(
  v.pipe(
    v.union([v.string(), v.array(v.string(writeWindow))], writeWindow),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return [dataset.value].flat().map(parseWindow);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        addIssue({ message: lineOf(error) });
        return NEVER;
      }
    }),
  ),
  { oneOf: [jsonWindow, { type: "array", items: jsonWindow }] },
);

/** So many bytes; plain digits are bytes. */
export const bytes = kind(
  v.pipe(
    v.union([v.string(), v.number()], "write a size, such as 512MiB or 10GiB"),
    v.transform(String),
    ByteCount,
  ),
  {
    oneOf: [
      { type: "integer", minimum: 0 },
      { type: "string", pattern: "^\\d+(\\.\\d+)?([kmgtKMGT][iI]?[bB]?|[bB])?$" },
    ],
  },
);

export const interval = kind(
  v.pipe(Time, v.minValue(1000, "ask once a second at the most: write 1 or more")),
  jsonTime(1),
);

const portOrRange = v.union([v.string(), v.number()], "write a port or a range of ports");
const jsonPort = {
  oneOf: [
    { type: "integer", minimum: 1, maximum: 65_535 },
    { type: "string", pattern: "^[0-9, :-]+$" },
  ],
};

export const ports = kind(
  v.pipe(
    v.union([portOrRange, v.array(portOrRange)], "write a port, a range or a list of these"),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parsePortMappings([dataset.value].flat().map(String));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        addIssue({ message: lineOf(error) });
        return NEVER;
      }
    }),
  ),
  { oneOf: [...jsonPort.oneOf, { type: "array", items: jsonPort }] },
);

const tcpPort = "write a port: a number from 1 to 65535";

/** One port; 0 is as good as none, which stands for the default. */
export const port = kind(
  v.pipe(
    v.union([v.string(), v.number()], tcpPort),
    v.transform(String),
    v.regex(/^\d{1,5}$/, tcpPort),
    v.transform(Number),
    v.maxValue(65_535, tcpPort),
  ),
  { type: "integer", minimum: 0, maximum: 65_535 },
);

const upTo = (most: number) => {
  const sentence = `write a number from 1 to ${most}`;
  return kind(
    v.pipe(
      v.union([v.string(), v.number()], sentence),
      v.transform(String),
      v.regex(/^\d{1,7}$/, sentence),
      v.transform(Number),
      v.minValue(1, sentence),
      v.maxValue(most, sentence),
    ),
    { type: "integer", minimum: 1, maximum: most },
  );
};

export const positive = upTo(1_000);
export const connections = upTo(1_000_000);

const statuses = "write status codes such as 200, 200-399 or 200,204";

/** `200-399`, or several of these. */
export const statusRanges = kind(
  v.pipe(
    v.union([v.string(), v.number()], statuses),
    v.transform((value) => String(value).replaceAll(" ", "")),
    v.regex(/^[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?)*$/, statuses),
    v.transform((value) =>
      value.split(",").map((range) => {
        const [from = "", to = from] = range.split("-");
        return { from: Number(from), to: Number(to) };
      }),
    ),
    v.check((ranges) => ranges.every(({ from, to }) => from <= to), statuses),
  ),
  { oneOf: [{ type: "integer", minimum: 100, maximum: 599 }, { type: "string" }] },
);

const notifyForms = "write systemd, or fd: and the number of a descriptor, such as fd:9";

/** `fd:9` or `systemd`. */
export const notify = kind(
  v.pipe(
    v.string(notifyForms),
    v.regex(/^(systemd|fd:\d{1,3})$/, notifyForms),
    v.transform((value): NotifyBy => {
      return value === "systemd"
        ? { by: "systemd" }
        : { by: "descriptor", number: Number(value.slice(3)) };
    }),
    v.check(
      (value) => value.by === "systemd" || value.number >= 3,
      "0 to 2 are taken: write fd:3 or more",
    ),
  ),
  { type: "string", pattern: "^(systemd|fd:\\d{1,3})$" },
  ["systemd", "fd:9"],
);

export const path = kind(
  v.pipe(
    Text,
    v.regex(/^\/[\x21-\x7e]*$/, "write a path that begins with a slash, such as /healthz"),
  ),
  { type: "string", pattern: "^/" },
);

export const choice = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  kind(
    v.pipe(
      v.string(`choose one of: ${words.join(", ")}`),
      v.toLowerCase(),
      v.picklist(words, `choose one of: ${words.join(", ")}`),
    ),
    { enum: words },
    words,
  );

export const yesOrNo = kind(v.union([v.boolean(), YesOrNo], "write true or false"), {
  type: "boolean",
});
