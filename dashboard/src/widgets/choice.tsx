// One of a few words.

interface Props<Word extends string> {
  label: string;
  value: Word;
  words: readonly Word[];
  names: Record<Word, string>;
  onChange: (word: Word) => void;
}

/** A list of words of which one is chosen, each shown by its name. */
export const Choice = <Word extends string>({ label, value, words, names, onChange }: Props<Word>) => (
  <label>
    {label}
    <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as Word)}>
      {words.map((word) => (
        <option key={word} value={word}>
          {names[word]}
        </option>
      ))}
    </select>
  </label>
);
