package catalog

import (
	"slices"

	"halcyon/models"
)

// priceFrom returns the monthly price of a blueprint with the cheapest sizes that it accepts. It returns
// false if a build item has no size and therefore no price.
func priceFrom(b *models.Blueprint, sizes []models.Size) (models.Money, bool) {
	var sum models.Money
	tiers := b.Tiers()
	for _, it := range tiers {
		least, ok := cheapest(b, &it, sizes)
		if !ok {
			return 0, false
		}
		sum += least * models.Money(it.Quantity)
	}
	return sum, len(tiers) > 0
}

// cheapest returns the lowest price among the sizes that an order can choose for a build item: those of the
// question about it, or the item's default. Default CPUs and memory have no price before the environment is
// known.
func cheapest(b *models.Blueprint, it *models.BlueprintItem, sizes []models.Size) (least models.Money, found bool) {
	asks, asked := b.Input(models.KeyVMSize)
	for _, size := range sizes {
		switch {
		case asked && len(asks.Options) > 0:
			if !slices.Contains(asks.Options, size.Name) {
				continue
			}
		case asked, !it.HasSize():
		case it.HasAmounts(), it.SizeName() != "" && it.SizeName() != size.Name, it.SizeName() == "" && it.SizeID != size.ID:
			continue
		}
		if !found || size.Rate < least {
			least, found = size.Rate, true
		}
	}
	return least, found
}
