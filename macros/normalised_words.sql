{#- A text in lower case with single blanks, none at its ends; null where nothing is left. -#}
{% macro normalised_words(text) -%}
    nullif(lower(trim({{ replaced_blanks(text) }})), '')
{%- endmacro %}
