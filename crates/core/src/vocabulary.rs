//! MongoDB's names by kind, and the messages for names that are not valid here: not supported
//! yet, in the wrong place, or a suggestion. Which names are supported is defined by the parsers,
//! not here.

use crate::error::shortened;

/// The kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In a filter.
    Filter,
    /// In a projection of a query.
    Projection,
    /// In an update.
    Update,
    /// Of a pipeline.
    Stage,
    /// In an expression of a pipeline.
    Expression,
    /// In a group.
    Accumulator,
    /// After `$$` in an expression.
    Variable,
    /// Of a value.
    Type,
    /// Of an operator or a stage: its parts, by their names.
    Argument,
}

/// The kinds whose names begin with `$`, in the order in which a name in the wrong place is searched.
const OPERATORS: [Kind; 6] = [
    Kind::Update,
    Kind::Stage,
    Kind::Filter,
    Kind::Accumulator,
    Kind::Expression,
    Kind::Projection,
];

/// The same, for a name within a pipeline.
const OPERATORS_OF_PIPELINES: [Kind; 6] = [
    Kind::Stage,
    Kind::Accumulator,
    Kind::Expression,
    Kind::Filter,
    Kind::Update,
    Kind::Projection,
];

impl Kind {
    /// The kind as a noun in a sentence.
    const fn noun(self) -> &'static str {
        match self {
            Kind::Filter | Kind::Projection | Kind::Update | Kind::Expression => "operator",
            Kind::Stage => "stage",
            Kind::Accumulator => "accumulator",
            Kind::Variable => "variable",
            Kind::Type => "type",
            Kind::Argument => "argument",
        }
    }

    /// Where it belongs.
    const fn belongs(self) -> &'static str {
        match self {
            Kind::Filter => "an operator of filters",
            Kind::Projection => "an operator of projections",
            Kind::Update => "an operator of updates",
            Kind::Stage => "a stage of pipelines",
            Kind::Expression => "an operator of expressions in pipelines",
            Kind::Accumulator => "an accumulator of groups in pipelines",
            Kind::Variable => "a variable",
            Kind::Type => "a type",
            Kind::Argument => "an argument",
        }
    }

    /// MongoDB's names, separated by spaces; for arguments only those that are not supported
    /// here.
    const fn names(self) -> &'static str {
        match self {
            Kind::Filter => FILTER,
            Kind::Projection => "$ $elemMatch $meta $slice",
            Kind::Update => UPDATE,
            Kind::Stage => STAGE,
            Kind::Expression => EXPRESSION,
            Kind::Accumulator => ACCUMULATOR,
            Kind::Variable => {
                "ROOT CURRENT NOW REMOVE CLUSTER_TIME USER_ROLES SEARCH_META DESCEND PRUNE KEEP"
            }
            Kind::Type => TYPE,
            Kind::Argument => ARGUMENT,
        }
    }

    /// The other kinds that a name may have that is not of this kind.
    fn others(self) -> impl Iterator<Item = Kind> {
        let others = match self {
            Kind::Stage | Kind::Accumulator | Kind::Expression => OPERATORS_OF_PIPELINES,
            _ => OPERATORS,
        };
        others.into_iter()
    }

    /// Whether MongoDB has such a name.
    pub(crate) fn has(self, name: &str) -> bool {
        self.names().split_ascii_whitespace().any(|known| known == name)
    }
}

const FILTER: &str = "\
    $eq $gt $gte $in $lt $lte $ne $nin $and $not $nor $or $exists $type $expr $jsonSchema $mod \
    $regex $options $text $where $geoIntersects $geoWithin $near $nearSphere $box $center \
    $centerSphere $geometry $maxDistance $minDistance $polygon $uniqueDocs $all $elemMatch $size \
    $bitsAllClear $bitsAllSet $bitsAnyClear $bitsAnySet $comment $rand $sampleRate $natural $meta \
    $search $language $caseSensitive $diacriticSensitive $alwaysTrue $alwaysFalse $query $orderby \
    $hint $explain";

const UPDATE: &str = "\
    $currentDate $inc $min $max $mul $rename $set $setOnInsert $unset $addToSet $pop $pull $push \
    $pullAll $pushAll $bit $isolated";

const STAGE: &str = "\
    $addFields $bucket $bucketAuto $changeStream $changeStreamSplitLargeEvent $collStats $count \
    $currentOp $densify $documents $facet $fill $geoNear $graphLookup $group $indexStats $limit \
    $listClusterCatalog $listLocalSessions $listSampledQueries $listSearchIndexes $listSessions \
    $lookup $match $merge $out $planCacheStats $project $querySettings $queryStats $rankFusion \
    $redact $replaceRoot $replaceWith $sample $scoreFusion $search $searchMeta $set \
    $setWindowFields $shardedDataDistribution $skip $sort $sortByCount $unionWith $unset $unwind \
    $vectorSearch";

const EXPRESSION: &str = "\
    $abs $accumulator $acos $acosh $add $allElementsTrue $and $anyElementTrue $arrayElemAt \
    $arrayToObject $asin $asinh $atan $atan2 $atanh $avg $binarySize $bitAnd $bitNot $bitOr \
    $bitXor $bsonSize $ceil $cmp $concat $concatArrays $cond $convert $cos $cosh $createObjectId \
    $dateAdd $dateDiff $dateFromParts $dateFromString $dateSubtract $dateToParts $dateToString \
    $dateTrunc $dayOfMonth $dayOfWeek $dayOfYear $degreesToRadians $divide $encStrContains \
    $encStrEndsWith $encStrNormalizedEq $encStrStartsWith $eq $exp $filter $first $firstN $floor \
    $function $getField $gt $gte $hash $hexHash $hour $ifNull $in $indexOfArray $indexOfBytes \
    $indexOfCP $isArray $isNumber $isoDayOfWeek $isoWeek $isoWeekYear $last $lastN $let $literal \
    $ln $log $log10 $lt $lte $ltrim $map $max $maxN $median $mergeObjects $meta $millisecond $min \
    $minN $minute $mod $month $multiply $ne $not $objectToArray $or $percentile $pow \
    $radiansToDegrees $rand $range $reduce $regexFind $regexFindAll $regexMatch $replaceAll \
    $replaceOne $reverseArray $round $rtrim $sampleRate $second $setDifference $setEquals \
    $setField $setIntersection $setIsSubset $setUnion $sigmoid $sin $sinh $size $slice $sortArray \
    $split $sqrt $stdDevPop $stdDevSamp $strLenBytes $strLenCP $strcasecmp $substr $substrBytes \
    $substrCP $subtract $subtype $sum $switch $tan $tanh $toArray $toBool $toDate $toDecimal \
    $toDouble $toHashedIndexKey $toInt $toLong $toLower $toObject $toObjectId $toString $toUUID \
    $toUpper $trim $trunc $tsIncrement $tsSecond $type $unsetField $week $year $zip";

const ACCUMULATOR: &str = "\
    $accumulator $addToSet $avg $bottom $bottomN $concatArrays $count $first $firstN $last $lastN \
    $max $maxN $median $mergeObjects $min $minN $percentile $push $setUnion $stdDevPop $stdDevSamp \
    $sum $top $topN";

const TYPE: &str = "\
    double string object array binData undefined objectId bool date null regex dbPointer \
    javascript symbol javascriptWithScope int timestamp long decimal minKey maxKey number uuid";

/// MongoDB's names that only `$setWindowFields` has.
const WINDOW: &str = "\
    $covariancePop $covarianceSamp $denseRank $derivative $documentNumber $expMovingAvg $integral \
    $linearFill $locf $minMaxScaler $rank $shift";

/// The parts of MongoDB's references to documents, which are not supported.
const REFERENCE: &str = "$ref $id $db";

/// The operator before the dot, the argument after it.
const ARGUMENT: &str = "\
    $filter.arrayIndexAs $map.arrayIndexAs $reduce.arrayIndexAs $reduce.as $reduce.valueAs \
    $convert.format $convert.byteOrder $convert.base $convert.subtype $count.collation \
    $median.over $percentile.over $bucket.granularity $merge.into $unionWith.coll \
    $sort.$meta";

/// What is wrong with a name that is not valid here, as the end of a sentence. `known` are the
/// valid ones.
pub(crate) fn unknown(kind: Kind, name: &str, known: &[&'static str]) -> String {
    problem(kind, name, &kind.names().split_ascii_whitespace().collect::<Vec<_>>(), known)
}

/// The same for an argument of an operator or a stage.
pub(crate) fn unknown_argument(of: &str, name: &str, known: &[&'static str]) -> String {
    let all = Kind::Argument.names().split_ascii_whitespace();
    let of_this = |entry: &'static str| entry.strip_prefix(of)?.strip_prefix('.');
    problem(Kind::Argument, name, &all.filter_map(of_this).collect::<Vec<_>>(), known)
}

/// `all` are the names that MongoDB has.
fn problem(kind: Kind, name: &str, all: &[&'static str], known: &[&'static str]) -> String {
    let (noun, shown) = (kind.noun(), shortened(name));
    if all.contains(&name) {
        return format!(
            "uses the {noun} {shown}, which MongoDB has and which is not supported yet"
        );
    }
    if let Some(absent) = absent(name) {
        return format!("uses {shown}, {absent}, which is not supported yet");
    }
    let mut others = kind.others();
    if let Some(other) = others.find(|other| *other != kind && other.has(name)) {
        return format!("uses {shown} as {}, and it is {}", kind.belongs(), other.belongs());
    }
    let unknown = format!("uses the unknown {noun} {shown:?}");
    // Supported names come first if both are equally near.
    let names: Vec<_> = known.iter().chain(all).copied().collect();
    match nearest(name, &names) {
        Some(nearest) if known.contains(&nearest) => format!("{unknown}; did you mean {nearest}?"),
        Some(absent) => format!("{unknown}; MongoDB's {absent} is not supported yet"),
        None => match known.len() {
            0 => format!("{unknown}; there is none"),
            1..=20 => format!("{unknown}; there are {}", known.join(", ")),
            _ => unknown,
        },
    }
}

/// What a name means in MongoDB that is not supported here as any kind.
fn absent(name: &str) -> Option<&'static str> {
    if WINDOW.split_ascii_whitespace().any(|known| known == name) {
        return Some("an operator of MongoDB's $setWindowFields");
    }
    is_reference(name).then_some("a part of MongoDB's references to documents")
}

/// Whether a reference to a document has a field of this name.
pub(crate) fn is_reference(field: &str) -> bool {
    REFERENCE.split_ascii_whitespace().any(|known| known == field)
}

/// The most similar name, if one is near enough; case-insensitive.
fn nearest(name: &str, names: &[&'static str]) -> Option<&'static str> {
    // A longer text is not a typing error, and comparing takes time in proportion to its length.
    let lower: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let letters = lower.trim_start_matches('$').chars().count();
    let rank = |known: &&'static str| {
        let known = known.to_lowercase();
        let same = lower.chars().zip(known.chars()).take_while(|(a, b)| a == b).count();
        (edits(&lower, &known), known.len() - same)
    };
    let nearest = names.iter().copied().min_by_key(rank)?;
    if edits(&lower, &nearest.to_lowercase()) <= 1 + letters / 4 || swapped(&lower, nearest) {
        return Some(nearest);
    }
    // Otherwise the longest name that it begins with: `$increment` for `$inc`.
    let shortened = names
        .iter()
        .copied()
        .filter(|known| known.len() >= 3 && lower.starts_with(&known.to_lowercase()));
    shortened.max_by_key(|known| known.len())
}

/// Whether both have the same letters, in another order.
fn swapped(lower: &str, known: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(lower) == sorted(&known.to_lowercase())
}

/// How many characters have to be inserted, removed or replaced to get from one text to the other
/// (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().expect("a row has a first column")
}

#[cfg(test)]
mod tests {
    //! Users of MongoDB were told `did you mean $set?` of `$setOnInsert`, `$in` of `$zip` and
    //! `$group` of `$graphLookup`: three operators that do something else.

    use super::*;
    use crate::aggregate::Pipeline;
    use crate::{Filter, Object, Projection, Update, Value, value};

    fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
        kind.names().split_ascii_whitespace()
    }

    /// The message for a name where one of this kind is expected.
    fn message(kind: Kind, name: &str) -> Option<String> {
        let operator = |operand: Value| Object::from([(name, operand)]);
        let pipeline = |stage: Value| Pipeline::from_value(&value!([stage])).map(drop);
        let result = match kind {
            Kind::Filter => {
                let field = Filter::from_object(value_object(operator(1.into()))).map(drop);
                field.and(Filter::from_object(operator(1.into())).map(drop))
            }
            Kind::Projection => Projection::from_object(value_object(operator(1.into()))).map(drop),
            Kind::Update => Update::from_object(operator(1.into())).map(drop),
            Kind::Stage => pipeline(operator(Value::Null).into()),
            Kind::Expression => pipeline(value!({ "$project": { "x": operator(Value::Null) } })),
            Kind::Accumulator => {
                pipeline(value!({ "$group": { "_id": null, "x": operator(Value::Null) } }))
            }
            Kind::Variable => pipeline(value!({ "$project": { "x": (format!("$${name}")) } })),
            Kind::Type => {
                let filter = value!({ "a": { "$type": name } });
                Filter::from_object(Object::try_from(filter).unwrap()).map(drop)
            }
            Kind::Argument => {
                let (operator, argument) = name.split_once('.').unwrap();
                let text = unknown_argument(operator, argument, &[]);
                assert!(text.contains(argument) && !text.contains(operator), "{text}");
                return Some(text);
            }
        };
        result.err().map(|error| error.to_string())
    }

    fn value_object(inner: Object) -> Object {
        Object::from([("a", inner)])
    }

    #[test]
    fn what_mongodb_has_is_known_or_not_supported_yet() {
        let mut absent = Vec::new();
        for kind in OPERATORS.into_iter().chain([Kind::Variable, Kind::Type, Kind::Argument]) {
            for name in names(kind) {
                let Some(message) = message(kind, name) else { continue };
                assert!(!message.contains("did you mean"), "{name}: {message}");
                assert!(!message.contains("unknown"), "{name}: {message}");
                if message.contains("not supported yet") {
                    absent.push(name);
                }
            }
        }
        for name in [
            "$setOnInsert",
            "$bit",
            "$zip",
            "$graphLookup",
            "$out",
            "$merge",
            "$unionWith",
            "$expr",
            "$mod",
            "$where",
            "$jsonSchema",
            "$sample",
            "$setWindowFields",
            "$top",
            "CLUSTER_TIME",
            "$",
        ] {
            assert!(absent.contains(&name), "{name}");
        }
        for name in ["$set", "$push", "$match", "$lookup", "$gte", "$sum", "ROOT", "string"] {
            assert!(!absent.contains(&name), "{name}");
        }
    }

    #[test]
    fn names_in_the_wrong_place_and_mistyped_ones_are_told_apart() {
        for (kind, name, expected) in [
            (Kind::Filter, "$push", "it is an operator of updates"),
            (Kind::Update, "$match", "it is a stage of pipelines"),
            (Kind::Update, "$gte", "it is an operator of filters"),
            (Kind::Stage, "$inc", "it is an operator of updates"),
            (Kind::Filter, "$gts", "did you mean $gt?"),
            (Kind::Update, "$sett", "did you mean $set?"),
            (Kind::Update, "$Inc", "did you mean $inc?"),
            (Kind::Update, "$increment", "did you mean $inc?"),
            (Kind::Stage, "$mtach", "did you mean $match?"),
            (Kind::Stage, "$frobnicate", "the unknown stage \"$frobnicate\""),
            (Kind::Expression, "$strLen", "did you mean $strLenCP?"),
            (
                Kind::Expression,
                "$push",
                "as an operator of expressions in pipelines, and it is an acc",
            ),
            (Kind::Stage, "$eq", "it is an operator of expressions"),
            (Kind::Update, "$setoninsert", "MongoDB's $setOnInsert is not supported yet"),
            (Kind::Update, "$setOnInserts", "MongoDB's $setOnInsert is not supported yet"),
            (Kind::Stage, "$setwindowfields", "MongoDB's $setWindowFields is not supported yet"),
            (Kind::Accumulator, "$firstn", "MongoDB's $firstN is not supported yet"),
            (Kind::Filter, "$near_sphere", "MongoDB's $nearSphere is not supported yet"),
            (Kind::Type, "objectid", "did you mean objectId?"),
            (
                Kind::Accumulator,
                "$rank",
                "of MongoDB's $setWindowFields, which is not supported yet",
            ),
            (
                Kind::Expression,
                "$shift",
                "of MongoDB's $setWindowFields, which is not supported yet",
            ),
            (
                Kind::Filter,
                "$ref",
                "a part of MongoDB's references to documents, which is not supported yet",
            ),
        ] {
            let message = message(kind, name).unwrap();
            assert!(message.contains(expected), "{name}: {message}");
        }
    }

    #[test]
    fn positional_operators_and_pipelines_as_updates_are_not_supported_yet() {
        for path in ["a.$", "a.$[]", "a.$[x].b"] {
            let update = Object::from([("$set", Object::from([(path, 1)]))]);
            let message = Update::from_object(update).unwrap_err().to_string();
            assert!(message.contains("not supported yet") && message.contains(path), "{message}");
        }
        let message = Update::from_json(r#"[{"$set": {"a": 1}}]"#).unwrap_err().to_string();
        assert!(message.contains("pipeline") && message.contains("not supported yet"), "{message}");
    }
}
