import * as v from "valibot";

/** What goes into the quotes of a challenge. */
export const ChallengeText = v.pipe(
  v.string("write a text"),
  v.nonEmpty("write a text"),
  v.regex(/^[\x20-\x7e]*$/, "this goes into a header: write one line of ASCII"),
);

export const FilePath = v.pipe(
  v.string("write the path of a file"),
  v.nonEmpty("write the path of a file"),
);
