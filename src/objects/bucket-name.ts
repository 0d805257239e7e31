/** Wider than the rules of Amazon and Google today: other servers, and old buckets, have others. */
export const isBucketName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{1,221}$/.test(name);
