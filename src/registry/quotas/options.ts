import * as v from "valibot";
import { ByteCount } from "../../base/schema.ts";
import { RepositoryGlob } from "../repository-glob.ts";

/** One of `quotas:`: how many bytes the repositories that match may have together. */
export const QuotaRule = v.strictObject({
  repositories: RepositoryGlob,
  size: v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.transform(String))], "write a size, such as 10GiB"),
    ByteCount,
    v.minValue(1, "write a size of at least one byte"),
  ),
});
export type QuotaRule = v.InferOutput<typeof QuotaRule>;

export const QuotaRules = v.array(QuotaRule, "write a list of quotas");
