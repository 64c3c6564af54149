/** What AWS takes as the value of a secret. */
export const maxSecretBytes = 65_536
