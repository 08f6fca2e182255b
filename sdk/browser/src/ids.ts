let made = 0;

const hex = (value: number | bigint, digits: number) => value.toString(16).padStart(digits, '0');

/**
 * A UUID of version 7: the time, a number that rises by one, chance. Those of one page sort as they were made.
 *
 * `crypto.randomUUID` is absent where a page came without TLS, and gives no order.
 */
export const uuid = (): string => {
  const chance = hex(crypto.getRandomValues(new BigUint64Array(1))[0]!, 16).slice(1);
  const digits = hex(Date.now(), 12) + '7' + hex(made++ & 4095, 3) + 'a' + chance;
  // A line after the first 8 digits and after each 4 until 12 are left.
  return digits.replace(/^.{8}|.{4}(?=.{12})/g, '$&-');
};
