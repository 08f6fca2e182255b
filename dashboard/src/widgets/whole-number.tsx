// A whole number between two.

interface Props {
  label: string;
  value: number;
  least: number;
  most: number;
  onChange: (value: number) => void;
}

/** A field of a whole number; one that is too small or too large is told as the nearest that may be. */
export const WholeNumber = ({ label, value, least, most, onChange }: Props) => (
  <label>
    {label}
    <input
      type="number"
      min={least}
      max={most}
      step={1}
      value={value}
      onChange={({ currentTarget }) => {
        const whole = Math.round(Number(currentTarget.value)) || least;
        const next = Math.min(most, Math.max(least, whole));
        currentTarget.value = String(next);
        if (next !== value) onChange(next);
      }}
    />
  </label>
);
